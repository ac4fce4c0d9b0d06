import Testing
@testable import Media
@Test func a() { #expect(Image(width: 2, height: 1, filledWith: .white).pngBytes().count > 10) }
