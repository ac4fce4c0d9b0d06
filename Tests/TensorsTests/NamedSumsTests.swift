import Tensors
import Testing

struct NamedSumsTests {
  @Test func everyNameAddsUp() {
    var sums = NamedSums()
    sums += ["rows": 1, "errors": 2, "clipped": 3]
    sums += ["rows": 4, "errors": 5, "clipped": 6]
    sums += [:]
    #expect(sums == ["rows": 5, "errors": 7, "clipped": 9])
    let joined = sums.joined(with: ["ratio": 0.5])
    #expect(joined.names == ["rows", "errors", "clipped", "ratio"])
    #expect(joined["ratio"] == 0.5 && joined["clipped"] == 9)
  }
}
