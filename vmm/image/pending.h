/* pending.h - has the user asked us to end? */
#ifndef IMAGE_PENDING_H
#define IMAGE_PENDING_H

#include <stdbool.h>

/*
 * Is a signal that ends programs pending?  The supervisor blocks these and
 * reads them later, so that whatever takes long before that has to look.
 */
bool end_is_pending(void);

#endif
