#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "Attributes.h"
#include "Worker.h"
#include "Library.h"
#include "Records.h"

enum { most_object_count = 1 << 20, most_path_byte_count = 4096, most_link_byte_count = 1024 };

/// Groups found but not yet listed, and the addresses of those met, so that links in a circle end.
typedef struct {
  char **paths;
  size_t count, next, capacity;
  /// Open addressing; HADDR_UNDEF where free.
  haddr_t *addresses;
  size_t address_capacity;
  size_t object_count;
} Groups;

typedef struct {
  uint64_t file_byte_count;
  const char *group_path;
  Groups *groups;
  Records *records;
} Listing;

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory) attune_refuse("holds more than fits in memory");
  return memory;
}

static bool insert(haddr_t *addresses, size_t capacity, haddr_t address) {
  size_t index = (size_t)(address * 0x9E3779B97F4A7C15u) & (capacity - 1);
  while (addresses[index] != HADDR_UNDEF) {
    if (addresses[index] == address) return false;
    index = (index + 1) & (capacity - 1);
  }
  addresses[index] = address;
  return true;
}

static haddr_t *free_addresses(size_t capacity) {
  haddr_t *addresses = allocate(capacity, sizeof *addresses);
  for (size_t index = 0; index < capacity; index++) addresses[index] = HADDR_UNDEF;
  return addresses;
}

/// Queues a group unless it was met before.
static bool enqueue(Groups *groups, const char *path, haddr_t address) {
  if (groups->count * 2 >= groups->address_capacity) {
    const size_t capacity = groups->address_capacity ? groups->address_capacity * 2 : 256;
    haddr_t *addresses = free_addresses(capacity);
    for (size_t index = 0; index < groups->address_capacity; index++)
      if (groups->addresses[index] != HADDR_UNDEF)
        insert(addresses, capacity, groups->addresses[index]);
    free(groups->addresses);
    groups->addresses = addresses;
    groups->address_capacity = capacity;
  }
  if (!insert(groups->addresses, groups->address_capacity, address)) return false;
  if (groups->count == groups->capacity) {
    groups->capacity = groups->capacity ? groups->capacity * 2 : 64;
    groups->paths = realloc(groups->paths, groups->capacity * sizeof *groups->paths);
    if (!groups->paths) attune_refuse("holds more groups than fit in memory");
  }
  const size_t byte_count = strlen(path) + 1;
  groups->paths[groups->count] = allocate(byte_count, 1);
  memcpy(groups->paths[groups->count++], path, byte_count);
  return true;
}

static void put_link(Listing *listing, const char *path, const char *what) {
  attune_put_byte(listing->records, attune_hdf5_link_record);
  attune_put_text(listing->records, path);
  attune_put_text(listing->records, what);
}

static void list_dataset(Listing *listing, hid_t dataset, const char *path) {
  Records *records = listing->records;
  const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
  if (type < 0 || space < 0) return put_link(listing, path, "unreadable dataset");
  char name[64];
  const AttuneHDF5ElementType element_type = attune_element_type(type, name, sizeof name);
  AttuneStorage storage = attune_storage(dataset, listing->file_byte_count);
  attune_put_byte(records, attune_hdf5_dataset_record);
  attune_put_text(records, path);
  attune_put_byte(records, (uint8_t)element_type);
  attune_put_text(records, name);
  bool is_empty;
  attune_put_shape(space, &is_empty, records);
  if (element_type == attune_hdf5_other_type)
    snprintf(storage.problem, sizeof storage.problem, "has the type %s", name);
  else if (is_empty)
    snprintf(storage.problem, sizeof storage.problem, "has no elements, not even a shape");
  attune_put_integer(records, storage.stored_byte_count);
  attune_put_integer(records, storage.most_byte_count);
  attune_put_text(records, storage.problem);
  H5Tclose(type);
  H5Sclose(space);
  attune_list_attributes(dataset, path, records);
}

static void list_object(Listing *listing, hid_t group, const char *name, const char *path) {
  H5O_info_t info;
  const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
  if (object < 0 && attune_met_unknown_version())
    return put_link(listing, path, "of a newer version of the HDF5 format, not read");
  if (object < 0 || H5Oget_info(object, &info) < 0)
    attune_refuse_by_library("has an object that cannot be opened");
  if (info.type == H5O_TYPE_DATASET)
    list_dataset(listing, object, path);
  else if (info.type == H5O_TYPE_GROUP && !enqueue(listing->groups, path, info.addr))
    put_link(listing, path, "another name of a group");
  H5Oclose(object);
}

/// Lists the dataset that a soft link leads to; a group is listed under its own name only.
static void list_soft_link(
    Listing *listing, hid_t group, const char *name, const char *path, size_t byte_count) {
  H5O_info_t info;
  const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
  if (object >= 0 && H5Oget_info(object, &info) >= 0 && info.type == H5O_TYPE_DATASET) {
    list_dataset(listing, object, path);
  } else {
    char target[most_link_byte_count] = "", what[most_link_byte_count + 16];
    if (byte_count < sizeof target) H5Lget_val(group, name, target, sizeof target, H5P_DEFAULT);
    target[sizeof target - 1] = 0;
    snprintf(what, sizeof what, "soft link to %s", target);
    put_link(listing, path, what);
  }
  if (object >= 0) H5Oclose(object);
}

static herr_t list_link(hid_t group, const char *name, const H5L_info_t *info, void *context) {
  Listing *listing = context;
  char path[most_path_byte_count];
  const int count = snprintf(path, sizeof path, "%s/%s", listing->group_path, name);
  if (count < 0 || count >= (int)sizeof path)
    attune_refuse("is nested too deep: a path has more than %d bytes", most_path_byte_count);
  if (++listing->groups->object_count > most_object_count)
    attune_refuse("holds more than %d objects", most_object_count);
  switch (info->type) {
    case H5L_TYPE_HARD: list_object(listing, group, name, path); break;
    case H5L_TYPE_SOFT: list_soft_link(listing, group, name, path, info->u.val_size); break;
    default: put_link(listing, path, "link to another file, not followed");
  }
  return 0;
}

static void list_group(Listing *listing, hid_t file, const char *path) {
  const hid_t group = H5Gopen2(file, path[0] ? path : "/", H5P_DEFAULT);
  if (group < 0) attune_refuse_by_library("has a group that cannot be opened");
  attune_put_byte(listing->records, attune_hdf5_group_record);
  attune_put_text(listing->records, path[0] ? path : "/");
  attune_list_attributes(group, path[0] ? path : "/", listing->records);
  listing->group_path = path;
  if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, list_link, listing) < 0)
    attune_refuse_by_library("has a group that cannot be listed");
  H5Gclose(group);
}

uint64_t attune_list(const Request *request, void *memory) {
  const char *path = attune_request_part(request, request->path_offset);
  Records records = {memory, request->memory_byte_count, 0};
  Groups groups = {0};
  Listing listing = {
      .file_byte_count = attune_file_byte_count(path),
      .groups = &groups,
      .records = &records};
  const hid_t file = attune_open_file(path);
  H5O_info_t info;
  if (H5Oget_info(file, &info) < 0) attune_refuse_by_library("has no root group");
  enqueue(&groups, "", info.addr);
  while (groups.next < groups.count) list_group(&listing, file, groups.paths[groups.next++]);
  return records.count;
}
