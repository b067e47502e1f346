import Glibc
import Memory
import Synchronization
import Wire

/// What can be wrong with an answer.
enum Wrongness: Int, CaseIterable {
  case unknownID, otherQuestion, rcodeChanged, answerCountChanged, ttlAboveFirst, notAResponse, malformed

  /// Its key in the JSON report.
  var key: String {
    switch self {
    case .unknownID: "unknown_id"
    case .otherQuestion: "other_question"
    case .rcodeChanged: "rcode_changed"
    case .answerCountChanged: "answer_count_changed"
    case .ttlAboveFirst: "ttl_above_first"
    case .notAResponse: "not_a_response"
    case .malformed: "malformed"
    }
  }

  /// Its line in the report.
  var label: String {
    switch self {
    case .unknownID: "unknown id"
    case .otherQuestion: "other question"
    case .rcodeChanged: "rcode changed"
    case .answerCountChanged: "answer count changed"
    case .ttlAboveFirst: "TTL above the first"
    case .notAResponse: "not a response"
    case .malformed: "malformed"
    }
  }
}

/// The first answer to each question, which all later ones must agree with. Shared by all threads.
final class Expectations: Sendable {
  /// Per question: seen << 63 | rcode << 48 | answers << 32 | the largest TTL in seconds. 0: not seen.
  private let first: Region
  private let canonical: Region  // per entry: the first entry that asks the same, 32 bits
  private let writing = Mutex(())

  init(_ catalogue: Catalogue) {
    first = Region(size: catalogue.questions * 8)
    canonical = Region(size: catalogue.count * 4)
    var seen: [[UInt8]: Int] = [:]
    for entry in 0..<catalogue.count {
      let identity = catalogue.identity(entry)
      let earliest = seen[identity] ?? entry
      seen[identity] = earliest
      canonical.bytes.set(u32: UInt32(earliest), at: entry * 4)
    }
  }

  /// What is wrong with `message`, which answers `question` by id, flags and question section. nil: nothing.
  func check(_ message: Bytes, _ question: Question, of catalogue: Catalogue) -> Wrongness? {
    var at = Header.length + catalogue.questionLength(question)
    var ttl: UInt32 = 0
    let dated = message.answerCount + message.authorityCount
    for index in 0..<dated + message.additionalCount {
      guard let record = Record(message, at: at) else { return .malformed }
      if index < dated { ttl = max(ttl, record.ttl(message)) }
      at = record.end
    }
    guard at == message.count else { return .malformed }

    let entry = Int(canonical.bytes.u32(Int(question.entry) * 4))
    let place = catalogue.number(question, entry: entry) * 8
    let rcode = UInt64(message.flags & Header.rcodeMask)
    let now = 1 << 63 | rcode << 48 | UInt64(message.answerCount) << 32 | UInt64(ttl)
    var expected = first.bytes.loadRelaxed(place)
    if expected == 0 {
      expected = writing.withLock { _ in
        let word = first.bytes.loadRelaxed(place)
        if word == 0 { first.bytes.storeRelaxed(now, at: place) }
        return word
      }
      if expected == 0 { return nil }
    }
    if (now ^ expected) >> 48 != 0 { return .rcodeChanged }
    if (now ^ expected) >> 32 != 0 { return .answerCountChanged }
    return now > expected ? .ttlAboveFirst : nil
  }
}
