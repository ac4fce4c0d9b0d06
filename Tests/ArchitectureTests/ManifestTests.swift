import Foundation
import Testing

/// The stack of targets, from the manifest: imports run downwards only.
@Suite struct ManifestTests {
  private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// What several test targets share; a regular target, as SwiftPM lets no test import another.
  private static let testSupport = "TestSupport"

  /// Target names with the quoted names of their dependencies, in the order of the manifest.
  private func targets() throws -> [(name: String, kind: String, dependencies: [String])] {
    let manifest = try String(
      contentsOf: root.appendingPathComponent("Package.swift"), encoding: .utf8)
    let starts = #/\.(target|systemLibrary|executableTarget|testTarget)\(\s*name: "(\w+)"/#
    let matches = manifest.matches(of: starts)
    return matches.enumerated().map { index, match in
      let end = index + 1 < matches.count ? matches[index + 1].range.lowerBound : manifest.endIndex
      let body = manifest[match.range.upperBound..<end]
      let list = body.firstMatch(of: #/dependencies: \[((?s).*?)\]/#)?.output.1 ?? ""
      let names = list.matches(of: #/"(\w+)"/#).map { String($0.output.1) }
      return (String(match.output.2), String(match.output.1), names)
    }
  }

  /// `make docs` documents the targets of the library product, each of which has a landing page.
  @Test func librariesHaveLandingPages() throws {
    func names(_ file: String, _ pattern: Regex<(Substring, Substring)>) throws -> Set<String> {
      let text = try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)
      let list = try #require(text.firstMatch(of: pattern)).output.1
      return Set(list.matches(of: #/\w+/#).map { String($0.output) })
    }
    let product = try names(
      "Package.swift", #/(?s)\.library\(\s*name: "Attune",\s*targets: \[(.*?)\]/#)
    #expect(product.count > 15)
    #expect(try names("Makefile", #/(?s)LIBRARIES := (.*?[^\\])\n/#) == product)
    for name in product {
      let page = root.appendingPathComponent("Sources/\(name)/\(name).docc/\(name).md")
      let text = try String(contentsOf: page, encoding: .utf8)
      #expect(text.hasPrefix("# ``\(name)``\n"), "\(name)")
      for part in ["## Overview", "```swift", "## Topics"] {
        #expect(text.contains(part), "\(name) has no \(part)")
      }
    }
  }

  @Test func dependenciesStandAboveTheirUsers() throws {
    let targets = try targets()
    #expect(targets.count > 8)
    var seen: Set<String> = []
    let own = Set(targets.map(\.name))
    for target in targets {
      for dependency in target.dependencies where own.contains(dependency) {
        #expect(
          seen.contains(dependency),
          "\(target.name) depends on \(dependency), which stands below it in the manifest")
      }
      seen.insert(target.name)
    }
  }

  /// SwiftPM lets a target import any module that has been built, declared or not.
  @Test func importsAreDeclared() throws {
    let targets = try targets()
    let own = Set(targets.map(\.name))
    for target in targets where target.kind != "systemLibrary" {
      let isTest = target.kind == "testTarget" || target.name == Self.testSupport
      let folder = root.appendingPathComponent(
        "\(isTest ? "Tests" : "Sources")/\(target.name)")
      let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
      for case let file as URL in try #require(files) where file.pathExtension == "swift" {
        let text = try String(contentsOf: file, encoding: .utf8)
        for match in text.matches(of: #/(?m)^(?:@testable )?import (\w+)/#) {
          let module = String(match.output.1)
          guard own.contains(module) else { continue }
          #expect(
            target.dependencies.contains(module),
            "\(file.lastPathComponent) of \(target.name) imports \(module) without declaring it")
        }
      }
    }
  }

  /// Only `Tensors` reaches for the kernels, and nothing but the benchmarks for OpenBLAS.
  @Test func kernelsHaveOneUser() throws {
    for target in try targets() where target.kind == "target" && target.name != "Tensors" {
      #expect(!target.dependencies.contains("CKernels"), "\(target.name) uses CKernels")
    }
    let users = try targets().filter { $0.dependencies.contains("COpenBLAS") }.map(\.name)
    #expect(users == ["Benchmarks"])
  }

  @Test func onlyTestsUseTestSupport() throws {
    let users = try targets().filter { $0.dependencies.contains(Self.testSupport) }
    #expect(!users.isEmpty)
    for user in users { #expect(user.kind == "testTarget", "\(user.name) uses TestSupport") }
  }

  @Test func noUnsafeFlags() throws {
    let manifest = try String(
      contentsOf: root.appendingPathComponent("Package.swift"), encoding: .utf8)
    #expect(!manifest.contains("unsafeFlags"))
  }
}
