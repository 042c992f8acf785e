# DROVER_TRY_FLAG(VARIABLE, FLAG): adds FLAG to VARIABLE where compiler and linker take it.
AC_DEFUN([DROVER_TRY_FLAG], [
  drover_saved_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $2"
  AC_MSG_CHECKING([whether $CC takes $2])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]], [[return strlen("") != 0;]])],
    [AC_MSG_RESULT([yes]); CFLAGS=$drover_saved_CFLAGS; $1="[$]$1 $2"],
    [AC_MSG_RESULT([no]); CFLAGS=$drover_saved_CFLAGS])
])

# Warnings and hardening (OpenSSF Compiler Options Hardening Guide for C). Each flag
# is probed, so that older and other compilers build too.
AC_DEFUN([DROVER_HARDENING], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors])],
    [], [enable_werror=no])
  for flag in -Wall -Wextra -Wshadow -Wformat=2 -Wconversion -Wimplicit-fallthrough \
      -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wpointer-arith -Wvla \
      -Wswitch-enum -Wundef -Werror=format-security -Werror=implicit \
      -Werror=incompatible-pointer-types -Werror=int-conversion; do
    DROVER_TRY_FLAG([DROVER_CFLAGS], [$flag])
  done
  AS_IF([test "$enable_werror" = yes], [DROVER_CFLAGS="$DROVER_CFLAGS -Werror"])
  for flag in -fstrict-flex-arrays=3 -fstack-clash-protection -fstack-protector-strong \
      -fcf-protection=full -ftrivial-auto-var-init=zero -fno-delete-null-pointer-checks \
      -fno-strict-overflow -fno-strict-aliasing -fPIE; do
    DROVER_TRY_FLAG([DROVER_CFLAGS], [$flag])
  done
  for flag in -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen \
      -Wl,--as-needed; do
    DROVER_TRY_FLAG([DROVER_LDFLAGS], [$flag])
  done
  AC_SUBST([DROVER_CFLAGS])
  AC_SUBST([DROVER_LDFLAGS])
])

# --enable-sanitize: AddressSanitizer and UndefinedBehaviorSanitizer, every finding fatal.
# FORTIFY_SOURCE is left out there: it hides accesses from the sanitizers.
AC_DEFUN([DROVER_SANITIZE], [
  AC_ARG_ENABLE([sanitize],
    [AS_HELP_STRING([--enable-sanitize], [build with ASan and UBSan])],
    [], [enable_sanitize=no])
  AS_IF([test "$enable_sanitize" = yes],
    [DROVER_CFLAGS="$DROVER_CFLAGS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
     DROVER_LDFLAGS="$DROVER_LDFLAGS -fsanitize=address,undefined"],
    [DROVER_CPPFLAGS="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"])
  AC_SUBST([DROVER_CPPFLAGS])
  AM_CONDITIONAL([SANITIZE], [test "$enable_sanitize" = yes])
])

# --without-systemd leaves libsystemd out; --with-systemdsystemunitdir says where units go.
AC_DEFUN([DROVER_SYSTEMD], [
  AC_ARG_WITH([systemd], [AS_HELP_STRING([--without-systemd], [build without libsystemd])],
    [], [with_systemd=check])
  have_systemd=no
  AS_IF([test "$with_systemd" != no],
    [PKG_CHECK_MODULES([SYSTEMD], [libsystemd >= 240], [have_systemd=yes],
      [AS_IF([test "$with_systemd" = yes], [AC_MSG_ERROR([libsystemd not found])])])])
  AS_IF([test "$have_systemd" = yes],
    [AC_DEFINE([HAVE_SYSTEMD], [1], [Define to 1 to speak to systemd with sd_notify.])])
  AC_ARG_WITH([systemdsystemunitdir],
    [AS_HELP_STRING([--with-systemdsystemunitdir=DIR], [where to install the unit])],
    [], [with_systemdsystemunitdir='${prefix}/lib/systemd/system'])
  AC_SUBST([systemdsystemunitdir], [$with_systemdsystemunitdir])
])
