// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "Attune",
  products: [
    .executable(name: "attune", targets: ["attune"]),
    .library(
      name: "Attune",
      targets: [
        "Tensors", "Configuration", "NeuralNetworks", "Diffusion", "Files", "ONNX", "Media",
        "RobotData", "Programs", "Environments", "PythonEnvironments",
        "ReinforcementLearning", "DiffusionPolicies", "PolicyServing", "CaptionedMedia",
        "GenerativeModels", "TextToImage", "TextToVideo", "Rewards", "InitialNoise",
        "ImageFineTuning", "MessagePassing", "Runs", "Training", "Reports",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.29.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
  ],
  targets: [
    // System libraries: a module map and a shim each, no logic.
    .systemLibrary(name: "CChipmunk", providers: [.apt(["libchipmunk-dev"])]),
    .systemLibrary(
      name: "CFFmpeg", pkgConfig: "libavformat",
      providers: [.apt(["libavcodec-dev", "libavformat-dev", "libswscale-dev"])]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "CMuJoCo", providers: [.apt(["libmujoco-dev"])]),
    .systemLibrary(name: "COSMesa", pkgConfig: "osmesa", providers: [.apt(["libosmesa6-dev"])]),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(
      name: "CPangoCairo", pkgConfig: "pangocairo",
      providers: [.apt(["libpango1.0-dev", "fonts-dejavu-core"])]),
    .systemLibrary(name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

    // The stack, lowest first; imports run downwards only (ArchitectureTests checks it).
    .target(name: "CKernels"),
    .target(name: "Tensors", dependencies: ["CKernels"]),
    .target(name: "Configuration", dependencies: [.product(name: "Yams", package: "Yams")]),
    .target(name: "NeuralNetworks", dependencies: ["Tensors", "Configuration"]),
    .target(name: "Diffusion", dependencies: ["NeuralNetworks", "Tensors"]),
    .target(
      name: "CHDF5Bridge", dependencies: ["CHDF5"], cSettings: [.define("_GNU_SOURCE")]),
    .target(
      name: "Files", dependencies: ["Configuration", "Tensors", "CHDF5Bridge", "CZlib", "CZstd"]),
    .target(
      name: "ONNX",
      dependencies: [
        "Tensors", "NeuralNetworks", "Files",
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: ["Protobuf/onnx.proto", "Protobuf/LICENSE"]),
    .target(name: "CPNGBridge", dependencies: ["CPNG"]),  // keeps libpng's longjmp out of Swift
    .target(
      name: "Media", dependencies: ["Tensors", "Files", "CPNGBridge", "CFFmpeg", "CPangoCairo"]),
    .target(name: "RobotData", dependencies: ["Configuration", "Tensors", "Files", "Media"]),
    .target(name: "CaptionedMedia", dependencies: ["Configuration", "Tensors", "Files", "Media"]),
    .target(name: "CProgramBridge", cSettings: [.define("_GNU_SOURCE")]),
    .target(name: "Programs", dependencies: ["Files", "CProgramBridge"]),
    .target(
      name: "Environments",
      dependencies: [
        "Configuration", "Tensors", "Files", "Media", "CMuJoCo", "COSMesa", "CChipmunk",
      ]),
    .target(
      name: "PythonEnvironments",
      dependencies: ["Configuration", "Tensors", "Files", "Media", "Programs", "Environments"],
      resources: [.embedInCode("worker.py")]),
    .target(
      name: "ReinforcementLearning", dependencies: ["Tensors", "NeuralNetworks", "Diffusion"]),
    .target(
      name: "DiffusionPolicies",
      dependencies: [
        "Configuration", "Tensors", "NeuralNetworks", "Diffusion", "Files", "Media", "ONNX",
        "RobotData", "Environments", "ReinforcementLearning",
      ]),
    .target(
      name: "PolicyServing",
      dependencies: [
        "Configuration", "Tensors", "Media", "Environments", "DiffusionPolicies",
        .product(name: "FlyingFox", package: "FlyingFox"),
        .product(name: "FlyingSocks", package: "FlyingFox"),
      ]),
    .target(
      name: "GenerativeModels",
      dependencies: ["Tensors", "NeuralNetworks", "Diffusion", "Media"]),
    .target(
      name: "TextToImage",
      dependencies: [
        "Configuration", "Tensors", "NeuralNetworks", "Diffusion", "Files", "Media",
        "CaptionedMedia",
        "GenerativeModels",
      ]),
    .target(
      name: "TextToVideo",
      dependencies: [
        "Configuration", "Tensors", "NeuralNetworks", "Diffusion", "Files", "Media",
        "GenerativeModels",
        "TextToImage",
      ]),
    .target(
      name: "Rewards",
      dependencies: [
        "Configuration", "Tensors", "NeuralNetworks", "Files", "Media", "ReinforcementLearning",
        "CaptionedMedia",
        "TextToImage", "Programs",
      ]),
    .target(
      name: "InitialNoise",
      dependencies: [
        "Configuration", "Tensors", "NeuralNetworks", "Diffusion", "Files", "Media",
        "ReinforcementLearning",
        "CaptionedMedia", "GenerativeModels", "Rewards",
      ]),
    .target(
      name: "ImageFineTuning",
      dependencies: [
        "Configuration", "Tensors", "NeuralNetworks", "Diffusion", "Files", "ReinforcementLearning",
        "GenerativeModels", "Media", "TextToImage", "Rewards",
      ]),
    .target(
      name: "Runs",
      dependencies: [
        "Configuration", "Tensors", "Files",
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: ["TensorBoard/event.proto"]),
    .target(
      name: "Training",
      dependencies: [
        "Configuration", "Tensors", "NeuralNetworks", "Diffusion", "Files", "Media", "Environments",
        "DiffusionPolicies", "CaptionedMedia", "GenerativeModels", "TextToImage", "TextToVideo",
        "Rewards",
        "InitialNoise", "ImageFineTuning", "Runs",
      ]),
    .target(name: "CMPIBridge", dependencies: ["CMPI"]),  // Open MPI's names are macros
    .target(name: "MessagePassing", dependencies: ["Tensors", "CMPIBridge"]),
    .target(
      name: "Reports", dependencies: ["Configuration", "Files", "Media", "Runs"],
      resources: [.embedInCode("Page/page.css"), .embedInCode("Page/page.js")]),

    // Programs.
    .executableTarget(
      name: "attune",
      dependencies: [
        "Configuration", "Tensors", "NeuralNetworks", "Diffusion", "Files", "ONNX", "Media",
        "RobotData", "Environments",
        "PythonEnvironments", "ReinforcementLearning", "DiffusionPolicies", "PolicyServing",
        "CaptionedMedia", "GenerativeModels", "TextToImage", "TextToVideo", "Rewards",
        "InitialNoise", "ImageFineTuning", "MessagePassing", "Runs", "Training", "Reports",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "Benchmarks",
      dependencies: [
        "Tensors", "NeuralNetworks", "Diffusion", "Media", "Environments", "PythonEnvironments",
        "DiffusionPolicies", "TextToImage", "TextToVideo", "COpenBLAS",
      ],
      exclude: ["Peers"]),

    // Tests, and what several of them share.
    .target(
      name: "TestSupport", dependencies: ["Tensors", "NeuralNetworks", "Files"],
      path: "Tests/TestSupport"),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "CKernels", "TestSupport"]),
    .testTarget(name: "ConfigurationTests", dependencies: ["Configuration", "TestSupport"]),
    .testTarget(
      name: "NeuralNetworksTests",
      dependencies: ["Configuration", "Tensors", "NeuralNetworks", "Files", "TestSupport"]),
    .testTarget(
      name: "FilesTests",
      dependencies: ["Configuration", "Tensors", "Files", "CHDF5Bridge", "TestSupport", "attune"]),
    .testTarget(
      name: "ONNXTests",
      dependencies: ["Files", "NeuralNetworks", "ONNX", "Tensors", "TestSupport"]),
    .testTarget(name: "MediaTests", dependencies: ["Files", "Tensors", "Media", "TestSupport"]),
    .testTarget(
      name: "RobotDataTests",
      dependencies: ["Files", "Media", "RobotData", "Tensors", "TestSupport"]),
    .testTarget(
      name: "CaptionedMediaTests",
      dependencies: [
        "Configuration", "CaptionedMedia", "Files", "Media", "Tensors", "TestSupport",
      ]),
    .testTarget(
      name: "DiffusionTests",
      dependencies: [
        "Diffusion", "Files", "Media", "NeuralNetworks", "Tensors", "TestSupport",
      ]),
    .testTarget(name: "ProgramsTests", dependencies: ["Programs", "TestSupport"]),
    .testTarget(
      name: "EnvironmentsTests",
      dependencies: [
        "Configuration", "Environments", "Programs", "Tensors", "Files", "Media", "CMuJoCo",
        "TestSupport",
      ]),
    .testTarget(
      name: "PythonEnvironmentsTests",
      dependencies: [
        "Configuration", "DiffusionPolicies", "Environments", "PythonEnvironments", "Tensors",
        "Media",
      ],
      exclude: ["Fixtures"]),
    .testTarget(
      name: "ReinforcementLearningTests",
      dependencies: [
        "ReinforcementLearning", "Files", "NeuralNetworks", "Tensors", "TestSupport",
      ]),
    .testTarget(
      name: "DiffusionPoliciesTests",
      dependencies: [
        "Configuration", "DiffusionPolicies", "Diffusion", "Environments", "Files", "Media",
        "NeuralNetworks", "ONNX", "ReinforcementLearning", "RobotData", "Tensors", "TestSupport",
      ]),
    .testTarget(
      name: "PolicyServingTests",
      dependencies: [
        "PolicyServing", "DiffusionPolicies", "Environments", "Media", "NeuralNetworks", "Tensors",
        "TestSupport",
      ]),
    .testTarget(
      name: "TextToImageTests",
      dependencies: [
        "Configuration", "TextToImage", "CaptionedMedia", "Diffusion", "Files", "GenerativeModels",
        "NeuralNetworks", "Tensors", "TestSupport",
      ]),
    .testTarget(
      name: "TextToVideoTests",
      dependencies: [
        "TextToVideo", "TextToImage", "CaptionedMedia", "Configuration", "Diffusion", "Files",
        "GenerativeModels", "Media",
        "NeuralNetworks", "Tensors", "TestSupport",
      ]),
    .testTarget(
      name: "RewardsTests",
      dependencies: [
        "Configuration", "Rewards", "CaptionedMedia", "Files", "Media", "NeuralNetworks",
        "Programs",
        "Runs",
        "Tensors",
        "TestSupport", "TextToImage", "attune",
      ]),
    .testTarget(
      name: "InitialNoiseTests",
      dependencies: [
        "Configuration", "InitialNoise", "CaptionedMedia", "Diffusion", "Files",
        "GenerativeModels", "Media",
        "NeuralNetworks",
        "ReinforcementLearning", "Rewards", "Tensors", "TestSupport", "TextToImage",
      ]),
    .testTarget(
      name: "ImageFineTuningTests",
      dependencies: [
        "Configuration", "ImageFineTuning", "Diffusion", "Files", "GenerativeModels", "Media",
        "NeuralNetworks",
        "ReinforcementLearning", "Rewards", "Tensors", "TestSupport", "TextToImage", "TextToVideo",
      ]),
    .testTarget(name: "MessagePassingTests", dependencies: ["MessagePassing", "TestSupport"]),
    .testTarget(
      name: "RunsTests",
      dependencies: [
        "Configuration", "Runs", "Files", "Tensors", "TestSupport",
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ]),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "CaptionedMedia", "GenerativeModels",
        "Configuration", "Training", "DiffusionPolicies", "Environments", "Files", "InitialNoise",
        "NeuralNetworks", "Rewards", "Runs", "Tensors", "TestSupport", "TextToImage",
      ]),
    .testTarget(
      name: "ReportsTests",
      dependencies: ["Configuration", "Reports", "Files", "Media", "Runs", "Training", "attune"]),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "Configuration", "Diffusion", "DiffusionPolicies", "Environments", "Files", "Media",
        "NeuralNetworks",
        "Rewards", "Runs", "Tensors", "TestSupport", "TextToImage", "Training", "attune",
      ]),
    .testTarget(name: "ArchitectureTests"),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c17
)
