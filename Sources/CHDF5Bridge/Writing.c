#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "Library.h"

/// libhdf5 is not made for several threads.
static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;

/// Memory grows by so much.
static const size_t growth_byte_count = 1 << 20;

/// A boolean as h5py writes it; the caller closes it.
static hid_t boolean_type(void) {
  const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
  const int8_t no = 0, yes = 1;
  if (type < 0 || H5Tenum_insert(type, "FALSE", &no) < 0 || H5Tenum_insert(type, "TRUE", &yes) < 0)
    return -1;
  return type;
}

/// The type of elements in memory and in the file, which the caller closes; negative if it is not
/// written.
static hid_t element_type(AttuneHDF5ElementType type) {
  switch (type) {
    case attune_hdf5_float64: return H5Tcopy(H5T_IEEE_F64LE);
    case attune_hdf5_float32: return H5Tcopy(H5T_IEEE_F32LE);
    case attune_hdf5_int64: return H5Tcopy(H5T_STD_I64LE);
    case attune_hdf5_int32: return H5Tcopy(H5T_STD_I32LE);
    case attune_hdf5_int16: return H5Tcopy(H5T_STD_I16LE);
    case attune_hdf5_int8: return H5Tcopy(H5T_STD_I8LE);
    case attune_hdf5_uint64: return H5Tcopy(H5T_STD_U64LE);
    case attune_hdf5_uint32: return H5Tcopy(H5T_STD_U32LE);
    case attune_hdf5_uint16: return H5Tcopy(H5T_STD_U16LE);
    case attune_hdf5_uint8: return H5Tcopy(H5T_STD_U8LE);
    case attune_hdf5_bool: return boolean_type();
    default: return -1;
  }
}

/// gzip's own middle.
static const unsigned compression_level = 4;

/// Properties of a dataset, which the caller closes.
static hid_t creation_properties(const AttuneHDF5Tensor *tensor) {
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  if (properties < 0 || !tensor->is_compressed || tensor->rank == 0) return properties;
  hsize_t chunk[H5S_MAX_RANK];
  chunk[0] = 1;
  for (uint32_t axis = 1; axis < tensor->rank; axis++) chunk[axis] = tensor->shape[axis];
  if (H5Pset_chunk(properties, (int)tensor->rank, chunk) < 0 ||
      H5Pset_deflate(properties, compression_level) < 0) {
    H5Pclose(properties);
    return -1;
  }
  return properties;
}

static int write_tensor(hid_t file, const AttuneHDF5Tensor *tensor) {
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  const hid_t type = element_type(tensor->element_type);
  const hid_t space = tensor->rank == 0
                          ? H5Screate(H5S_SCALAR)
                          : H5Screate_simple((int)tensor->rank, (const hsize_t *)tensor->shape, NULL);
  const hid_t properties = creation_properties(tensor);
  hid_t dataset = -1;
  int status = -1;
  if (type >= 0 && space >= 0 && properties >= 0 && links >= 0 &&
      H5Pset_create_intermediate_group(links, 1) >= 0)
    dataset = H5Dcreate2(file, tensor->name, type, space, links, properties, H5P_DEFAULT);
  if (dataset >= 0)
    status = H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor->elements) < 0 ? -1 : 0;
  if (dataset >= 0 && H5Dclose(dataset) < 0) status = -1;
  if (properties >= 0) H5Pclose(properties);
  if (links >= 0) H5Pclose(links);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  return status;
}

/// UTF-8 of any length, as h5py writes it; the caller closes it.
static hid_t text_type(void) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  if (type < 0 || H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)
    return -1;
  return type;
}

static int write_attribute(hid_t file, const AttuneHDF5Attribute *attribute) {
  const hid_t type = attribute->text != NULL ? text_type() : H5Tcopy(H5T_STD_I64LE);
  const hid_t space = H5Screate(H5S_SCALAR);
  const void *value =
      attribute->text != NULL ? (const void *)&attribute->text : (const void *)&attribute->integer;
  hid_t written = -1;
  int status = -1;
  if (type >= 0 && space >= 0)
    written = H5Acreate_by_name(
        file, attribute->owner, attribute->name, type, space, H5P_DEFAULT, H5P_DEFAULT,
        H5P_DEFAULT);
  if (written >= 0) status = H5Awrite(written, type, value) < 0 ? -1 : 0;
  if (written >= 0 && H5Aclose(written) < 0) status = -1;
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  return status;
}

static hid_t begin(void) {
  if (H5open() < 0) return -1;
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  hid_t file = -1;
  // In memory alone: the caller puts the whole file in its place.
  if (access >= 0 && H5Pset_fapl_core(access, growth_byte_count, 0) >= 0)
    file = H5Fcreate("attune", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  if (access >= 0) H5Pclose(access);
  return file;
}

static void *image(hid_t file, uint64_t *byte_count) {
  const ssize_t size =
      H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(file, NULL, 0);
  void *bytes = size > 0 ? malloc((size_t)size) : NULL;
  if (bytes != NULL && H5Fget_file_image(file, bytes, (size_t)size) != size) {
    free(bytes);
    bytes = NULL;
  }
  if (bytes != NULL) *byte_count = (uint64_t)size;
  return bytes;
}

AttuneHDF5Writer attune_hdf5_write_begin(void) {
  pthread_mutex_lock(&library_lock);
  const hid_t file = begin();
  pthread_mutex_unlock(&library_lock);
  return file;
}

int attune_hdf5_write_tensor(AttuneHDF5Writer writer, const AttuneHDF5Tensor *tensor) {
  pthread_mutex_lock(&library_lock);
  const int status = write_tensor(writer, tensor);
  pthread_mutex_unlock(&library_lock);
  return status;
}

int attune_hdf5_write_attribute(AttuneHDF5Writer writer, const AttuneHDF5Attribute *attribute) {
  pthread_mutex_lock(&library_lock);
  const int status = write_attribute(writer, attribute);
  pthread_mutex_unlock(&library_lock);
  return status;
}

void *attune_hdf5_write_image(AttuneHDF5Writer writer, uint64_t *byte_count) {
  pthread_mutex_lock(&library_lock);
  void *bytes = image(writer, byte_count);
  pthread_mutex_unlock(&library_lock);
  return bytes;
}

void attune_hdf5_write_close(AttuneHDF5Writer writer) {
  pthread_mutex_lock(&library_lock);
  H5Fclose(writer);
  pthread_mutex_unlock(&library_lock);
}
