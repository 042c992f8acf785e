# DROVER_TRY_FLAG(VARIABLE, FLAG): adds FLAG to VARIABLE where compiler and linker take it
# without a word, together with what VARIABLE holds already.
AC_DEFUN([DROVER_TRY_FLAG], [
  drover_saved_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS $DROVER_CFLAGS -Werror $2"
  AC_MSG_CHECKING([whether $CC takes $2])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]], [[return strlen("") != 0;]])],
    [AC_MSG_RESULT([yes]); $1="[$]$1 $2"],
    [AC_MSG_RESULT([no])])
  CFLAGS=$drover_saved_CFLAGS
])

AC_DEFUN([DROVER_WARNINGS], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors])],
    [], [enable_werror=no])
  for flag in -Wall -Wextra -Wshadow -Wformat=2 -Wconversion -Wimplicit-fallthrough \
      -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wpointer-arith -Wvla \
      -Wswitch-enum -Wundef -Wtrampolines -Wbidi-chars=any,ucn -Werror=format-security \
      -Werror=implicit -Werror=incompatible-pointer-types -Werror=int-conversion; do
    DROVER_TRY_FLAG([DROVER_CFLAGS], [$flag])
  done
])

# Hardening, after the OpenSSF Compiler Options Hardening Guide for C. Every flag is
# probed, so that older and other compilers build too. tests/layout/check_hardening.sh
# reads the result back from the executable.
AC_DEFUN([DROVER_HARDENING], [
  for flag in -fstrict-flex-arrays=3 -fstack-clash-protection -fstack-protector-strong \
      -fcf-protection=full -mbranch-protection=standard -fzero-init-padding-bits=all \
      -fno-strict-aliasing -fPIE; do
    DROVER_TRY_FLAG([DROVER_CFLAGS], [$flag])
  done
  for flag in -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen \
      -Wl,--as-needed; do
    DROVER_TRY_FLAG([DROVER_LDFLAGS], [$flag])
  done
  # What forgives a mistake is left out under the sanitizers, which are to see it: defined
  # overflow, kept null checks, fortified calls, and zeros that something may come to need.
  AS_IF([test "$enable_sanitize" = yes],
    [DROVER_TRY_FLAG([DROVER_CFLAGS], [-ftrivial-auto-var-init=pattern])
     DROVER_CPPFLAGS="$DROVER_CPPFLAGS -U_FORTIFY_SOURCE"],
    [for flag in -fno-delete-null-pointer-checks -fno-strict-overflow \
         -ftrivial-auto-var-init=zero; do
       DROVER_TRY_FLAG([DROVER_CFLAGS], [$flag])
     done
     DROVER_FORTIFY])
  AC_SUBST([DROVER_CFLAGS])
  AC_SUBST([DROVER_LDFLAGS])
  AC_SUBST([DROVER_CPPFLAGS])
])

# _FORTIFY_SOURCE at the highest level the C library knows. Left alone where the builder
# has set it already (distributions do), and without optimisation, where glibc warns.
AC_DEFUN([DROVER_FORTIFY], [
  AC_MSG_CHECKING([for the level of _FORTIFY_SOURCE])
  drover_fortify=
  AS_CASE([" $CPPFLAGS $CFLAGS "],
    [*_FORTIFY_SOURCE*], [drover_fortify="left as given"],
    [AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#ifndef __OPTIMIZE__
#error without optimisation
#endif
        ]])], [], [drover_fortify="none: not optimised"])])
  for level in 3 2; do
    AS_IF([test -z "$drover_fortify"], [
      drover_saved_CFLAGS=$CFLAGS
      CFLAGS="$CFLAGS -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$level"
      AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]])],
        [drover_fortify=$level
         DROVER_CPPFLAGS="$DROVER_CPPFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$level"])
      CFLAGS=$drover_saved_CFLAGS])
  done
  AC_MSG_RESULT([${drover_fortify:-none}])
])

# --enable-sanitize: AddressSanitizer and UndefinedBehaviorSanitizer, every finding fatal.
AC_DEFUN([DROVER_SANITIZE], [
  AC_ARG_ENABLE([sanitize],
    [AS_HELP_STRING([--enable-sanitize], [build with ASan and UBSan])],
    [], [enable_sanitize=no])
  AS_IF([test "$enable_sanitize" = yes],
    [DROVER_CFLAGS="$DROVER_CFLAGS -fsanitize=address,undefined -fno-sanitize-recover=all \
-fno-omit-frame-pointer"
     DROVER_LDFLAGS="$DROVER_LDFLAGS -fsanitize=address,undefined"])
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
    [AS_HELP_STRING([--with-systemdsystemunitdir=DIR],
      [where the unit goes; "no": nowhere @<:@PREFIX/lib/systemd/system@:>@])],
    [], [with_systemdsystemunitdir='${prefix}/lib/systemd/system'])
  AC_SUBST([systemdsystemunitdir], [$with_systemdsystemunitdir])
  AM_CONDITIONAL([INSTALL_UNIT], [test "$with_systemdsystemunitdir" != no])
])

# Where bash looks for completions.
AC_DEFUN([DROVER_BASH_COMPLETION], [
  AC_ARG_WITH([bashcompletiondir],
    [AS_HELP_STRING([--with-bashcompletiondir=DIR],
      [where the completion goes @<:@DATADIR/bash-completion/completions@:>@])],
    [], [with_bashcompletiondir='${datadir}/bash-completion/completions'])
  AC_SUBST([bashcompletiondir], [$with_bashcompletiondir])
])
