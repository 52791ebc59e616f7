/* remove.h - a directory and all that is in it. */
#ifndef IMAGE_REMOVE_H
#define IMAGE_REMOVE_H

/*
 * Remove the directory `name` in the open directory `dir`, which is this user's
 * as all in it is, however deep it is and whatever its directories' modes are.
 * No symbolic link is followed.  0 (also when it is not there) or -errno.
 */
int remove_tree(int dir, const char *name);

#endif
