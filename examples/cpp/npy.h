// Reads arrays of float32 from NumPy's files (.npy, versions 1.0 to 3.0).

#ifndef AFGAN_JAX_EXAMPLES_NPY_H_
#define AFGAN_JAX_EXAMPLES_NPY_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// A wrong input; the message is one sentence.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Array {
  std::vector<std::size_t> shape;
  std::vector<float> values;  // In C order.
};

inline std::string describe(const std::vector<std::size_t>& shape) {
  std::ostringstream text;
  text << '[';
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text << (i ? ", " : "") << shape[i];
  }
  text << ']';
  return text.str();
}

namespace npy {

constexpr std::uint32_t kMaxHeader = 4096;  // That of an image has 118 bytes.

// Reads the text between the magic bytes and the values.
inline std::string read_header(std::ifstream& file, const std::string& path) {
  unsigned char start[12] = {};
  file.read(reinterpret_cast<char*>(start), 10);
  if (!file || std::memcmp(start, "\x93NUMPY", 6) != 0 || start[6] < 1 ||
      start[6] > 3) {
    throw InputError(path + " is not a .npy file.");
  }
  std::uint32_t length = start[8] | start[9] << 8;
  if (start[6] > 1) {  // From version 2.0 on, the length has four bytes.
    file.read(reinterpret_cast<char*>(start) + 10, 2);
    length |= start[10] << 16 | std::uint32_t{start[11]} << 24;
  }
  if (!file || length > kMaxHeader) {
    throw InputError(path + " is not a .npy file: its header is damaged.");
  }
  std::string header(length, ' ');
  file.read(header.data(), length);
  if (!file) {
    throw InputError(path + " ends within its header.");
  }
  return header;
}

// Returns what a pattern with one group finds in the header.
inline std::string find(const std::string& header, const char* pattern,
                        const std::string& path) {
  std::smatch found;
  if (!std::regex_search(header, found, std::regex(pattern))) {
    throw InputError(path + " is not a .npy file: its header is damaged.");
  }
  return found[1];
}

inline std::vector<std::size_t> parse_shape(const std::string& text,
                                            const std::string& path) {
  std::vector<std::size_t> shape;
  std::size_t total = 1;
  const std::regex number("\\d+");
  for (std::sregex_iterator it(text.begin(), text.end(), number), end;
       it != end; ++it) {
    const std::string digits = it->str();
    if (digits.size() > 9) {
      throw InputError(path + " is too large.");
    }
    shape.push_back(std::stoul(digits));
    if (shape.back() != 0 &&
        total > std::numeric_limits<std::uint32_t>::max() / shape.back()) {
      throw InputError(path + " is too large.");
    }
    total *= shape.back();
  }
  return shape;
}

}  // namespace npy

// Reads a file, or throws InputError. The host must be little-endian.
inline Array read_npy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw InputError(path + " does not exist or cannot be read.");
  }
  const std::string header = npy::read_header(file, path);
  if (!std::regex_search(header, std::regex("'descr'\\s*:\\s*'<f4'"))) {
    throw InputError(path +
                     " holds values of another type than float32: write "
                     "pixels.astype('<f4').");
  }
  if (npy::find(header, "'fortran_order'\\s*:\\s*(\\w+)", path) != "False") {
    throw InputError(path +
                     " is in Fortran order: write "
                     "numpy.ascontiguousarray(pixels).");
  }
  Array array;
  array.shape = npy::parse_shape(
      npy::find(header, "'shape'\\s*:\\s*\\(([\\d\\s,]*)\\)", path), path);
  std::size_t count = 1;
  for (const std::size_t length : array.shape) {
    count *= length;
  }
  // Before the memory is taken: a small file may claim to be of any size.
  const auto begin = file.tellg();
  file.seekg(0, std::ios::end);
  const auto bytes = static_cast<std::size_t>(file.tellg() - begin);
  if (bytes != count * sizeof(float)) {
    throw InputError(path + " has " + std::to_string(bytes) +
                     " bytes of values and the shape " +
                     describe(array.shape) + " needs " +
                     std::to_string(count * sizeof(float)) + ".");
  }
  file.seekg(begin);
  array.values.resize(count);
  file.read(reinterpret_cast<char*>(array.values.data()),
            static_cast<std::streamsize>(bytes));
  if (!file) {
    throw InputError(path + " cannot be read to its end.");
  }
  return array;
}

#endif  // AFGAN_JAX_EXAMPLES_NPY_H_
