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

static int write_tensor(hid_t file, const AttuneHDF5Tensor *tensor) {
  const hid_t type = element_type(tensor->element_type);
  const hid_t space = tensor->rank == 0
                          ? H5Screate(H5S_SCALAR)
                          : H5Screate_simple((int)tensor->rank, (const hsize_t *)tensor->shape, NULL);
  hid_t dataset = -1;
  int status = -1;
  if (type >= 0 && space >= 0)
    dataset = H5Dcreate2(file, tensor->name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  if (dataset >= 0)
    status = H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor->elements) < 0 ? -1 : 0;
  if (dataset >= 0 && H5Dclose(dataset) < 0) status = -1;
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  return status;
}

static void *image(const AttuneHDF5Tensor *tensors, uint32_t count, uint64_t *byte_count) {
  if (H5open() < 0) return NULL;
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  void *bytes = NULL;
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  // In memory alone: the caller puts the whole file in its place.
  if (access < 0 || H5Pset_fapl_core(access, growth_byte_count, 0) < 0) return NULL;
  const hid_t file = H5Fcreate("attune", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  int status = file < 0 ? -1 : 0;
  for (uint32_t index = 0; index < count && status == 0; index++)
    status = write_tensor(file, &tensors[index]);
  if (status == 0 && H5Fflush(file, H5F_SCOPE_GLOBAL) < 0) status = -1;
  const ssize_t size = status == 0 ? H5Fget_file_image(file, NULL, 0) : -1;
  if (size > 0) bytes = malloc((size_t)size);
  if (bytes != NULL && H5Fget_file_image(file, bytes, (size_t)size) != size) {
    free(bytes);
    bytes = NULL;
  }
  if (bytes != NULL) *byte_count = (uint64_t)size;
  if (file >= 0) H5Fclose(file);
  H5Pclose(access);
  return bytes;
}

void *attune_hdf5_image(
    const AttuneHDF5Tensor *tensors, uint32_t count, uint64_t *byte_count) {
  pthread_mutex_lock(&library_lock);
  void *bytes = image(tensors, count, byte_count);
  pthread_mutex_unlock(&library_lock);
  return bytes;
}
