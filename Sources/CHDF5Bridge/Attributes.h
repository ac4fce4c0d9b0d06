#ifndef ATTRIBUTES_H
#define ATTRIBUTES_H

#include "Library.h"
#include "Records.h"

/// Lists the attributes of an object; `path` is the object's.
void attune_list_attributes(hid_t object, const char *path, Records *records);

/// Writes a shape, or a shape of rank 0 with `*is_empty` set where there are no elements.
void attune_put_shape(hid_t space, bool *is_empty, Records *records);

#endif
