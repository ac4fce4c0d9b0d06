import Foundation
import Runs
import Testing

@testable import Reports

/// The page as a whole: sound, alone, and with everything escaped.
@Suite struct PageTests {
  private static let find = """
    prompt: "a spear & a </script><script>alert(1)</script> shield"
    reward: clip
    model: runs/dolls/model
    iterations: 40
    """

  private func fullRun() throws -> SyntheticRun {
    let run = try SyntheticRun(
      name: #"<b> & "quoted" 'run'"#, config: Self.find,
      metrics: SyntheticRun.lines(40) {
        #""reward": 0.\#($0 + 10), "rewardStandardError": 0.01, "klDivergence": \#($0), "flat": 2"#
      })
    try run.writeImage("before")
    try run.writeImage("after", shade: 200)
    for iteration in [10, 20, 9] { try run.writeImage("samples-0000\(iteration)") }
    try run.writeImage(#"a"onerror="alert(2)"#)
    try run.writeVideo("video", byteCount: 400)
    return run
  }

  @Test func theCheckItselfFindsFaults() {
    #expect(PageCheck("<p><b>one</b></p><br><img src=\"x\">").problems.isEmpty)
    for fault in [
      "<p><b></p></b>", "<p>", "</p>", "<p a=b></p>", "<p a=\"<\"></p>", "1 < 2", "a > b<p></p>",
    ] {
      #expect(!PageCheck(fault).problems.isEmpty, "\(fault)")
    }
  }

  /// Several runs follow one another, each with its own curves.
  @Test func runsShareAPage() throws {
    let first = try fullRun()
    let second = try SyntheticRun(
      name: "second", metrics: SyntheticRun.lines(3) { #""loss": \#($0)"# })
    let report = try RunReport(runs: [first.path, second.path])
    let page = PageCheck(report.html)
    #expect(page.problems == [])
    #expect(page.count("main") == 2 && page.count("h1") == 2 && page.count("title") == 1)
    // Curves of each run, and one script for all.
    #expect(page.count("script") == 3)
    #expect(page.drawings.count == 3)
    let alone = try second.report().html
    let start = try #require(alone.range(of: "<main>"))
    let end = try #require(alone.range(of: "</main>"))
    #expect(report.html.contains(alone[start.lowerBound..<end.upperBound]))
    #expect(throws: RunFolderError.self) {
      try RunReport(runs: [first.path, first.path + "/no such"])
    }
  }

  @Test func pageIsValidAndAlone() throws {
    let run = try fullRun()
    let report = try run.report()
    let page = PageCheck(report.html)
    #expect(page.problems == [])
    #expect(report.notes == [])
    #expect(page.drawings.count == 2)
    #expect(page.count("script") == 2 && page.count("style") == 1)
    #expect(page.count("video") == 1)
    // Nothing is loaded from anywhere.
    let sources = page.tags.flatMap { tag in
      ["src", "href", "poster", "srcset", "action"].compactMap { tag.attributes[$0] }
    }
    #expect(sources.count == 7)
    #expect(
      sources.allSatisfy {
        $0.hasPrefix("data:image/png;base64,") || $0.hasPrefix("data:video/mp4;base64,")
      })
    #expect(!report.html.contains("url(") && !report.html.contains("@import"))
    #expect(page.tags.contains { $0.attributes["name"] == "viewport" })
    #expect(page.rawTexts.contains { $0.contains("prefers-color-scheme: dark") })
  }

  @Test func nothingFromTheFolderIsMarkup() throws {
    let run = try fullRun()
    try run.write(
      #"{"iteration": 41, "step": 41, "</script><i>": 1, "reward": 3}"# + "\n"
        + #"{"iteration": 42, "step": 42, "</script><i>": 2, "reward": 3}"# + "\n",
      to: "metrics.jsonl")
    let html = try run.report().html
    let page = PageCheck(html)
    #expect(page.problems == [])
    #expect(page.count("script") == 2 && page.count("i") == 0)
    #expect(!html.contains("<b> &"))
    #expect(page.tags.allSatisfy { $0.attributes["onerror"] == nil })
    #expect(html.contains("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;"))
    #expect(html.contains("&lt;b&gt; &amp; &quot;quoted&quot; &#39;run&#39;"))
    #expect(try page.hoverData().curves.contains { $0.name == "</script><i>" })
  }

  /// What `run.json` records of resumes is in the settings section, escaped.
  @Test func changesAtResumesAreListed() throws {
    let run = try SyntheticRun(config: "training: {iterations: 80}\n")
    try run.write(
      """
      {"command": "policy finetune", "resumptions": [
        {"iteration": 20, "changes": [
          {"key": "training.iterations", "from": "20", "to": "40"},
          {"key": "path", "from": "\\"<a>\\"", "to": "b & c"}]},
        {"iteration": 1240, "changes": [
          {"key": "training.iterations", "from": "40", "to": "80"}]}]}
      """, to: "run.json")
    let html = try run.report().html
    #expect(PageCheck(html).problems == [])
    let start = try #require(html.range(of: "<h2>Settings</h2>"))
    let section = html[start.upperBound...]
    for row in [
      "<td>20</td><td>training.iterations</td><td>20</td><td>40</td>",
      "<td>20</td><td>path</td><td>&quot;&lt;a&gt;&quot;</td><td>b &amp; c</td>",
      "<td>1,240</td><td>training.iterations</td><td>40</td><td>80</td>",
    ] { #expect(section.contains(row), "\(row)") }
    // A run that was only continued has no such table.
    try run.write(#"{"command": "policy finetune", "resumptions": []}"#, to: "run.json")
    #expect(!(try run.report().html).contains("Changed when"))
  }

  @Test func beforeAndAfterStandSideBySide() throws {
    let html = try fullRun().report().html
    let pair = try #require(
      html.firstMatch(of: #/<div class="pair">.*?<\/div>/#.dotMatchesNewlines())
    ).output
    let page = PageCheck(String(pair))
    #expect(page.problems == [] && page.count("img") == 2)
    let before = try #require(pair.range(of: "<figcaption><b>Before</b></figcaption>"))
    let after = try #require(pair.range(of: "<figcaption><b>After</b></figcaption>"))
    #expect(before.upperBound < after.lowerBound)
    // One side alone waits for the other.
    let half = try SyntheticRun()
    try half.writeImage("hands-before")
    let halfHTML = try half.report().html
    #expect(halfHTML.contains("not there yet") && halfHTML.contains("<h3>hands</h3>"))
  }

  @Test func newestImageIsLarge() throws {
    let html = try fullRun().report().html
    let large = try #require(
      html.firstMatch(of: #/<figure class="image large">.*?<figcaption>(.*?)</#)
    ).output.1
    #expect(large == "samples 20")
    #expect(PageCheck(html).count("figure", class: "image") == 4)
  }
}
