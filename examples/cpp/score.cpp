// Scores preprocessed images with an exported detector and OpenVINO.
//
//   score [--threshold=T] MODEL.onnx PIXELS.npy...
//
// Prints a line for each image. Exit codes: 0 if all images are good, 1 if one
// is defective, 2 if something was wrong, in one sentence on stderr.

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "npy.h"
#include "openvino/frontend/manager.hpp"
#include "openvino/op/constant.hpp"
#include "openvino/op/parameter.hpp"
#include "openvino/openvino.hpp"

namespace {

constexpr int kGood = 0, kDefective = 1, kWrong = 2;
const std::string kFlag = "--threshold=";

struct Arguments {
  bool has_threshold = false;
  float threshold = 0;
  std::string model;
  std::vector<std::string> images;
};

float parse_threshold(const std::string& text) {
  char* end = nullptr;
  const float value = std::strtof(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(value)) {
    throw InputError(kFlag + text + " is not a finite number.");
  }
  return value;
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind(kFlag, 0) == 0) {
      arguments.has_threshold = true;
      arguments.threshold = parse_threshold(word.substr(kFlag.size()));
    } else if (word.rfind("--", 0) == 0) {
      throw InputError("There is no flag " + word + ", only " + kFlag + "T.");
    } else if (arguments.model.empty()) {
      arguments.model = word;
    } else {
      arguments.images.push_back(word);
    }
  }
  if (arguments.images.empty()) {
    throw InputError("Call score [" + kFlag + "T] MODEL.onnx PIXELS.npy...");
  }
  return arguments;
}

// Returns the last line, where OpenVINO says what is wrong.
std::string last_line(const std::string& message) {
  std::istringstream lines(message);
  std::string line, found;
  while (std::getline(lines, line)) {
    if (line.find_first_not_of(" \t\r") != std::string::npos) found = line;
  }
  return found;
}

std::shared_ptr<ov::Model> read(const std::string& path) {
  if (!std::ifstream(path)) {
    throw InputError(path + " does not exist or cannot be read.");
  }
  try {
    // As ov::Core::read_model, which tries all other formats as well.
    ov::frontend::FrontEndManager readers;
    const auto reader = readers.load_by_framework("onnx");
    auto model = reader->convert(reader->load(path));
    for (const auto& input : model->inputs()) {
      if (input.get_any_name() == "pixels") continue;
      throw InputError(path + " needs the input " + input.get_any_name() +
                       " as well, which this example does not fill.");
    }
    model->input("pixels");
    for (const char* name : {"score", "probability", "verdict"}) {
      model->output(name);
    }
    return model;
  } catch (const ov::Exception& error) {
    throw InputError(path + " is not a model of an exported detector (" +
                     last_line(error.what()) + ").");
  }
}

// Makes the threshold an input. An ONNX input with a default value is a
// constant in OpenVINO, which would ignore another value.
void free_threshold(ov::Model& model, const std::string& path) {
  for (const auto& node : model.get_ordered_ops()) {
    const bool is_constant = ov::is_type<ov::op::v0::Constant>(node);
    if (!is_constant || node->get_friendly_name() != "threshold") continue;
    const auto input = std::make_shared<ov::op::v0::Parameter>(
        node->get_element_type(), node->get_shape());
    input->set_friendly_name("threshold");
    ov::replace_node(node, input);
    input->output(0).set_names({"threshold"});
    model.add_parameters({input});
    model.validate_nodes_and_infer_types();
    return;
  }
  throw InputError(path + " has no threshold that could be set.");
}

// Checks that an array is what the model takes, and returns it as a tensor.
ov::Tensor as_pixels(Array& array, const ov::PartialShape& wanted,
                     const std::string& path) {
  auto shape = array.shape;
  if (shape.size() == 3) shape.insert(shape.begin(), 1);  // One image.
  const bool is_empty = !shape.empty() && shape[0] == 0;
  if (is_empty || !wanted.compatible(ov::PartialShape(ov::Shape(shape)))) {
    throw InputError(path + " has the shape " + describe(array.shape) +
                     " and the model takes " + wanted.to_string() +
                     ": preprocess the image as the README of the model says.");
  }
  for (const float value : array.values) {
    if (!(value >= 0 && value <= 255)) {  // True for NaN as well.
      throw InputError(path + " holds the value " + std::to_string(value) +
                       ": pixels are in [0, 255].");
    }
  }
  return ov::Tensor(ov::element::f32, ov::Shape(shape), array.values.data());
}

// Prints a line for each image of the request; returns if one is defective.
bool print(ov::InferRequest& request, const std::string& path) {
  const auto score = request.get_tensor("score");
  const auto probability = request.get_tensor("probability");
  const auto verdict = request.get_tensor("verdict");
  bool any = false;
  for (std::size_t i = 0; i < score.get_size(); ++i) {
    const float value = score.data<float>()[i];
    if (!std::isfinite(value)) {
      throw InputError(path + " has the score " + std::to_string(value) +
                       ", which is no verdict.");
    }
    // OpenVINO's boolean has one byte.
    const bool defective = static_cast<const char*>(verdict.data())[i] != 0;
    any = any || defective;
    std::cout << path << " score " << value << " probability "
              << probability.data<float>()[i] << " verdict "
              << (defective ? "defective" : "good") << '\n';
  }
  return any;
}

int run(const Arguments& arguments) {
  const auto model = read(arguments.model);
  if (arguments.has_threshold) free_threshold(*model, arguments.model);
  // Some CPUs would compute in bfloat16, which changes scores.
  auto compiled = ov::Core().compile_model(
      model, "CPU", ov::hint::inference_precision(ov::element::f32),
      ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY));
  auto request = compiled.create_infer_request();
  if (arguments.has_threshold) {
    ov::Tensor threshold(ov::element::f32, ov::Shape{});
    threshold.data<float>()[0] = arguments.threshold;
    request.set_tensor("threshold", threshold);
  }
  const auto wanted = compiled.input("pixels").get_partial_shape();
  std::cout << std::setprecision(9);  // A float32 as it is.
  bool any = false;
  for (const std::string& path : arguments.images) {
    Array array = read_npy(path);
    request.set_tensor("pixels", as_pixels(array, wanted, path));
    request.infer();
    any = print(request, path) || any;
  }
  return any ? kDefective : kGood;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(parse(argc, argv));
  } catch (const InputError& error) {
    std::cerr << error.what() << '\n';
  } catch (const std::exception& error) {
    std::cerr << "The detector failed: " << last_line(error.what()) << '\n';
  }
  return kWrong;
}
