/* Letting go of the pages that only a start needs.
 *
 * Segments that are not writable in the file are never written in memory either:
 * relocations go to writable ones, which RELRO protects later.
 */
#include "base/image.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/must.h"

enum { RANGES_MAX = 512 };

struct range {
    uintptr_t start, end;
};

struct ranges {
    struct range all[RANGES_MAX];
    size_t ct;
};

static int add_object(struct dl_phdr_info *object, size_t size UNUSED, void *arg)
{
    struct ranges *ranges = arg;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    for (unsigned i = 0; i < object->dlpi_phnum && ranges->ct < RANGES_MAX; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        uintptr_t end = (start + segment->p_memsz) & ~(page - 1);

        start = (start + page - 1) & ~(page - 1);
        if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W) && start < end)
            ranges->all[ranges->ct++] = (struct range){start, end};
    }
    return 0;
}

/* All ranges are found before one is let go of: the headers that tell them lie in them.
 */
void image_forget_start(void)
{
    struct ranges ranges = {.ct = 0};

    (void)dl_iterate_phdr(add_object, &ranges);
    for (size_t i = 0; i < ranges.ct; i++)
        (void)madvise((void *)ranges.all[i].start,
                      ranges.all[i].end - ranges.all[i].start, MADV_DONTNEED);
}
