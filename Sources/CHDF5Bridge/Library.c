#include "Library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "Worker.h"

/// Deflate cannot do better than this.
static const uint64_t most_deflate_ratio = 1032;
/// Parts never written read as the fill value; a dataset may consist of that much of them.
static const uint64_t most_unwritten_byte_count = 16 << 20;

void attune_prepare_library(void) {
  // Some network file systems have no locks.
  setenv("HDF5_USE_FILE_LOCKING", "BEST_EFFORT", 0);
  if (H5open() < 0) return;
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  // Nothing a file says may load a plug-in or open another file.
  H5PLset_loading_state(0);
  H5Lunregister(H5L_TYPE_EXTERNAL);
}

hid_t attune_open_file(const char *path) {
  if (H5open() < 0) attune_refuse("libhdf5 does not start");
  const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0) attune_refuse_by_library("is not a readable HDF5 file");
  return file;
}

static bool is_half_precision(hid_t type) {
  size_t sign, exponent, exponent_size, mantissa, mantissa_size;
  if (H5Tget_fields(type, &sign, &exponent, &exponent_size, &mantissa, &mantissa_size) < 0)
    return false;
  return sign == 15 && exponent == 10 && exponent_size == 5 && mantissa == 0 &&
         mantissa_size == 10 && H5Tget_ebias(type) == 15;
}

/// h5py writes booleans as an enumeration of bytes.
static bool is_boolean(hid_t type) {
  int8_t values[2] = {-1, -1};
  return H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2 &&
         H5Tenum_valueof(type, "FALSE", &values[0]) >= 0 &&
         H5Tenum_valueof(type, "TRUE", &values[1]) >= 0 && values[0] == 0 && values[1] == 1;
}

static AttuneHDF5ElementType integer_type(size_t size, bool is_signed) {
  switch (size) {
    case 1: return is_signed ? attune_hdf5_int8 : attune_hdf5_uint8;
    case 2: return is_signed ? attune_hdf5_int16 : attune_hdf5_uint16;
    case 4: return is_signed ? attune_hdf5_int32 : attune_hdf5_uint32;
    case 8: return is_signed ? attune_hdf5_int64 : attune_hdf5_uint64;
    default: return attune_hdf5_other_type;
  }
}

static AttuneHDF5ElementType float_type(hid_t type, size_t size) {
  switch (size) {
    case 2: return is_half_precision(type) ? attune_hdf5_float16 : attune_hdf5_other_type;
    case 4: return attune_hdf5_float32;
    case 8: return attune_hdf5_float64;
    default: return attune_hdf5_other_type;
  }
}

/// Elements that are any number of bytes.
static bool is_byte_array(hid_t type) {
  const hid_t base = H5Tget_super(type);
  if (base < 0) return false;
  const bool is_byte = H5Tget_class(base) == H5T_INTEGER && H5Tget_size(base) == 1 &&
                       H5Tget_sign(base) == H5T_SGN_NONE;
  H5Tclose(base);
  return is_byte;
}

AttuneHDF5ElementType attune_element_type(hid_t type, char *name, size_t name_size) {
  const size_t size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER: {
      const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
      snprintf(name, name_size, "%sint%zu", is_signed ? "" : "u", size * 8);
      return integer_type(size, is_signed);
    }
    case H5T_FLOAT:
      snprintf(name, name_size, "float%zu", size * 8);
      return float_type(type, size);
    case H5T_ENUM: {
      const bool is_bool = is_boolean(type);
      snprintf(name, name_size, is_bool ? "bool" : "enumeration");
      return is_bool ? attune_hdf5_bool : attune_hdf5_other_type;
    }
    case H5T_STRING: snprintf(name, name_size, "string"); return attune_hdf5_text;
    case H5T_COMPOUND: snprintf(name, name_size, "compound"); break;
    case H5T_ARRAY: snprintf(name, name_size, "array"); break;
    case H5T_VLEN: {
      const bool is_bytes = is_byte_array(type);
      snprintf(name, name_size, is_bytes ? "variable-length uint8" : "variable-length");
      return is_bytes ? attune_hdf5_byte_arrays : attune_hdf5_other_type;
    }
    case H5T_REFERENCE: snprintf(name, name_size, "reference"); break;
    case H5T_OPAQUE: snprintf(name, name_size, "opaque"); break;
    case H5T_BITFIELD: snprintf(name, name_size, "bitfield"); break;
    case H5T_TIME: snprintf(name, name_size, "time"); break;
    default: snprintf(name, name_size, "unknown"); break;
  }
  return attune_hdf5_other_type;
}

hid_t attune_memory_type(AttuneHDF5ElementType element_type, hid_t file_type) {
  switch (element_type) {
    case attune_hdf5_float64: return H5T_NATIVE_DOUBLE;
    case attune_hdf5_float32: return H5T_NATIVE_FLOAT;
    case attune_hdf5_int64: return H5T_NATIVE_INT64;
    case attune_hdf5_int32: return H5T_NATIVE_INT32;
    case attune_hdf5_int16: return H5T_NATIVE_INT16;
    case attune_hdf5_int8: return H5T_NATIVE_INT8;
    case attune_hdf5_uint64: return H5T_NATIVE_UINT64;
    case attune_hdf5_uint32: return H5T_NATIVE_UINT32;
    case attune_hdf5_uint16: return H5T_NATIVE_UINT16;
    case attune_hdf5_uint8: return H5T_NATIVE_UINT8;
    case attune_hdf5_bool: return H5Tcopy(file_type);
    case attune_hdf5_float16: {
      // There is no native type of half precision: the file's own, in this machine's byte order.
      const hid_t type = H5Tcopy(file_type);
      if (type >= 0) H5Tset_order(type, H5Tget_order(H5T_NATIVE_FLOAT));
      return type;
    }
    case attune_hdf5_text:
    case attune_hdf5_byte_arrays:
    case attune_hdf5_other_type: return H5I_INVALID_HID;
  }
  return H5I_INVALID_HID;
}

/// What a compressor that libhdf5 or this bridge does not apply is called; the numbers are those
/// that The HDF Group has registered.
static const char *filter_name(H5Z_filter_t filter, const char *stored) {
  static const struct {
    H5Z_filter_t filter;
    const char *name;
  } known[] = {
      {H5Z_FILTER_SZIP, "szip"}, {H5Z_FILTER_NBIT, "nbit"}, {H5Z_FILTER_SCALEOFFSET, "scaleoffset"},
      {305, "lzo"}, {307, "bzip2"}, {32000, "lzf"}, {32001, "blosc"}, {32004, "lz4"},
      {32008, "bitshuffle"}, {32013, "zfp"}, {32015, "zstd"}, {32017, "sz"}, {32019, "fcidecomp"},
      {32023, "vbz"}, {32026, "blosc2"},
  };
  for (size_t index = 0; index < sizeof known / sizeof *known; index++)
    if (known[index].filter == filter) return known[index].name;
  return stored[0] ? stored : "no name";
}

static bool check_filters(hid_t properties, AttuneStorage *storage) {
  bool is_deflated = false;
  const int count = H5Pget_nfilters(properties);
  for (int index = 0; index < count; index++) {
    unsigned flags, configuration;
    size_t value_count = 0;
    char name[64] = "";
    const H5Z_filter_t filter = H5Pget_filter2(
        properties, (unsigned)index, &flags, &value_count, NULL, sizeof name, name,
        &configuration);
    name[sizeof name - 1] = 0;
    // The other built-in filters have a record of memory errors; hardly anybody uses them.
    const bool is_known =
        filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE ||
        filter == H5Z_FILTER_FLETCHER32;
    if (filter == H5Z_FILTER_DEFLATE) is_deflated = true;
    if (!is_known)
      snprintf(
          storage->problem, sizeof storage->problem,
          "is compressed with %s (filter %d), not gzip", filter_name(filter, name), (int)filter);
  }
  return is_deflated;
}

AttuneStorage attune_storage(hid_t dataset, uint64_t file_byte_count) {
  AttuneStorage storage = {0};
  const hid_t properties = H5Dget_create_plist(dataset);
  if (properties < 0) {
    snprintf(storage.problem, sizeof storage.problem, "has no readable layout");
    return storage;
  }
  const H5D_layout_t layout = H5Pget_layout(properties);
  const bool is_deflated = layout == H5D_CHUNKED && check_filters(properties, &storage);
  if (layout == H5D_VIRTUAL)
    snprintf(storage.problem, sizeof storage.problem, "is virtual: its data is in other files");
  else if (layout == H5D_CONTIGUOUS && H5Pget_external_count(properties) > 0)
    snprintf(storage.problem, sizeof storage.problem, "keeps its data in another file");
  H5Pclose(properties);
  if (storage.problem[0]) return storage;

  storage.stored_byte_count = H5Dget_storage_size(dataset);
  const haddr_t offset = layout == H5D_CONTIGUOUS ? H5Dget_offset(dataset) : HADDR_UNDEF;
  const uint64_t start = offset == HADDR_UNDEF ? 0 : offset;
  if (start > file_byte_count || storage.stored_byte_count > file_byte_count - start)
    snprintf(
        storage.problem, sizeof storage.problem,
        "claims %llu stored bytes, more than the file holds",
        (unsigned long long)storage.stored_byte_count);
  storage.most_byte_count =
      storage.stored_byte_count * (is_deflated ? most_deflate_ratio : 1) +
      most_unwritten_byte_count;
  return storage;
}

uint64_t attune_file_byte_count(const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) attune_refuse("cannot be examined");
  return (uint64_t)status.st_size;
}

const char *attune_hdf5_library_version(void) {
  // Asking the library would start it in the program itself.
  const char *const text = H5_VERS_INFO, *const prefix = "HDF5 library version: ";
  return strncmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : text;
}
