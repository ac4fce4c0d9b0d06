switch CommandLine.arguments.dropFirst().first {
case "video-encoding": try VideoEncodingBenchmark.run()
default: print("usage: Benchmarks video-encoding")
}
