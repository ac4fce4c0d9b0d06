import Environments
import Foundation
import Media

/// The JSON of `POST /act`, `POST /reset` and of WebSocket's text messages.
struct ActRequest: Equatable {
  /// All that are new, oldest first; the last is acted on. Empty where nothing is to be done but to
  /// begin an episode.
  var observations: [[Float]] = []
  /// The images of each observation by the names of cameras; none for a policy that sees none.
  var images: [[String: Image]] = []
  /// The session's name; nil for that of requests without one.
  var session: String?
  /// Whether an episode begins.
  var resets = false
  /// Whether all actions of a new decision are wanted.
  var wantsChunk = false
  /// Whether the session ends.
  var closes = false
  /// The seed of the episode that begins.
  var seed: UInt64?
  /// The number of the episode that begins.
  var episode: Int?

  /// The session of requests that name none.
  static let unnamed = "default"

  /// - Parameters:
  ///   - json: the bytes that came.
  ///   - observationSize: `Do`, for the words of errors.
  ///   - cameras: what the policy sees beside it.
  /// - Throws: `RequestFailure` that says what was expected.
  init(
    _ json: some Sequence<UInt8>, observationSize: Int, cameras: [Camera] = []
  ) throws(RequestFailure) {
    let expected = Self.example(observationSize: observationSize, cameras: cameras)
    let decoder = JSONDecoder()
    decoder.userInfo[SentImages.cameras] = cameras
    do {
      self = try decoder.decode(Content.self, from: Data(json)).request
    } catch let failure as RequestFailure {
      throw failure
    } catch DecodingError.typeMismatch(let type, let context) {
      let place = Self.place(context.codingPath)
      let words = Self.words(for: type, at: context.codingPath.last?.stringValue)
      throw .malformed("\(place) is no \(words), expected \(expected)")
    } catch DecodingError.valueNotFound(_, let context) {
      throw .malformed("\(Self.place(context.codingPath)) is null, expected \(expected)")
    } catch {
      throw .malformed("not JSON (which has no NaN or Infinity), expected \(expected)")
    }
    if let session, !Self.isName(session) {
      throw .malformed("session is no name: expected 1 to 64 of letters, digits, '.', '_' and '-'")
    }
    if let episode, episode < 0 {
      throw .malformed("episode is \(episode), expected 0 or more")
    }
    for (index, observation) in observations.enumerated()
    where observation.count != observationSize {
      let place = observations.count == 1 ? "the observation" : "observations[\(index)]"
      throw .malformed("\(place) has \(observation.count) numbers, expected \(observationSize)")
    }
    guard images.count == (cameras.isEmpty ? 0 : observations.count) else {
      throw .malformed(
        images.isEmpty
          ? "no images, expected \(expected)"
          : "images of \(images.count) observations, expected \(observations.count)")
    }
  }

  /// What a request looks like, in the words of errors.
  static func example(observationSize: Int, cameras: [Camera]) -> String {
    let images = cameras.isEmpty ? "" : ", \"images\": \(SentImages.example(cameras))"
    return "{\"observation\": [\(observationSize) numbers]\(images)}"
  }

  /// An empty request, as an empty body is.
  init() {}

  private static func isName(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
          || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
          || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "._-".utf8.contains(byte)
      }
  }

  /// `observation[3]`; the keys are known ones, so that nothing of the sender's is repeated.
  private static func place(_ path: [any CodingKey]) -> String {
    guard let first = path.first else { return "the JSON" }
    return path.dropFirst().reduce(first.stringValue) { place, key in
      key.intValue.map { "\(place)[\($0)]" } ?? place
    }
  }

  private static func words(for type: any Any.Type, at key: String?) -> String {
    switch type {
    case is Bool.Type: "true or false"
    case is String.Type: "text"
    case is Float.Type: "number"
    case is UInt64.Type, is Int.Type: "whole number from 0"
    default: key == nil ? "object" : "list"
    }
  }

  /// The object as it comes.
  private struct Content: Decodable {
    var request = ActRequest()

    private enum Key: String, CodingKey, CaseIterable {
      case observation, observations, images, session, reset, chunk, close, seed, episode
    }

    private struct AnyKey: CodingKey {
      var stringValue: String
      var intValue: Int? { nil }
      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: AnyKey.self).allKeys
      guard keys.allSatisfy({ Key(rawValue: $0.stringValue) != nil }) else {
        let known = Key.allCases.map(\.rawValue).joined(separator: ", ")
        throw RequestFailure.malformed("an unknown key, expected some of \(known)")
      }
      let values = try decoder.container(keyedBy: Key.self)
      func value<Value: Decodable>(_ key: Key) throws -> Value? {
        guard values.contains(key) else { return nil }
        do {
          // Not decodeIfPresent: null is no observation.
          return try values.decode(Value.self, forKey: key)
        } catch let error as DecodingError {
          guard case .dataCorrupted = error else { throw error }
          throw Self.outOfRange(key, Value.self)
        } catch {
          // Errors of its own, which only the whole decoding makes such of Swift's.
          throw Self.outOfRange(key, Value.self)
        }
      }
      let observation: [Float]? = try value(.observation)
      let observations: [[Float]]? = try value(.observations)
      guard observation == nil || observations == nil else {
        throw RequestFailure.malformed("observation and observations, expected one of them")
      }
      if observations?.isEmpty == true {
        throw RequestFailure.malformed("observations is empty, expected at least one")
      }
      request.observations = observations ?? observation.map { [$0] } ?? []
      request.images = try images(values, ofSeveral: observations != nil, decoder)
      request.session = try value(.session)
      request.resets = try value(.reset) ?? false
      request.wantsChunk = try value(.chunk) ?? false
      request.closes = try value(.close) ?? false
      request.seed = try value(.seed)
      request.episode = try value(.episode)
    }

    /// An object of cameras, or a list of them where there is a list of observations.
    private func images(
      _ values: KeyedDecodingContainer<Key>, ofSeveral: Bool, _ decoder: any Decoder
    ) throws -> [[String: Image]] {
      guard values.contains(.images) else { return [] }
      guard let cameras = decoder.userInfo[SentImages.cameras] as? [Camera], !cameras.isEmpty else {
        throw RequestFailure.malformed("images, expected none: the policy sees numbers only")
      }
      guard ofSeveral else {
        return [try values.decode(SentImages.self, forKey: .images).images]
      }
      do {
        return try values.decode([SentImages].self, forKey: .images).map(\.images)
      } catch is DecodingError {
        throw RequestFailure.malformed(
          "images is no list, expected one of as many objects as there are observations")
      }
    }

    /// The decoder has found the text to be JSON before it looks at the numbers.
    private static func outOfRange(_ key: Key, _ type: any Any.Type) -> RequestFailure {
      let isWhole = type is UInt64.Type || type is Int.Type
      return .malformed(
        "\(key.rawValue) has a number out of range, expected "
          + (isWhole ? "a whole one from 0" : "those of float32"))
    }
  }
}

/// What is answered, as one line of JSON.
enum ActAnswer {
  /// `Da` numbers.
  case action([Float])
  /// `[Ta, Da]`
  case chunk([[Float]])
  /// The number of the episode that has begun.
  case episode(Int)
  /// The session is forgotten.
  case closed

  /// Numbers as short as they can be for a float32 to be read from them again.
  var json: String {
    switch self {
    case .action(let action): "{\"action\":\(Self.list(action))}"
    case .chunk(let actions):
      "{\"actions\":[\(actions.map(Self.list).joined(separator: ","))]}"
    case .episode(let number): "{\"episode\":\(number)}"
    case .closed: "{\"closed\":true}"
    }
  }

  private static func list(_ numbers: [Float]) -> String {
    "[\(numbers.map { "\($0)" }.joined(separator: ","))]"
  }
}
