/* The program's own image in memory. */
#ifndef BASE_IMAGE_H
#define BASE_IMAGE_H

/* Unmaps, page by page, what the start has touched of the program's and its libraries'
 * code and constants: the dynamic linker reads megabytes of symbols that are never looked
 * at again. What is needed comes back from the page cache by itself. Nothing that was
 * ever written is touched. */
void image_forget_start(void);

#endif
