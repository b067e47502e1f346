import Corefile
import Engine
import Wire

/// What is done to an answer.
enum ReplyChange: Sendable {
  case owner(NameChange)
  case value(NameChange)
  case ttl(ClosedRange<UInt32>)
  case responseCode(from: UInt16, to: UInt16)
  /// The target of an alias is another, and asked for: see `Rewrite`.
  case alias(NameChange)

  func apply(to message: inout Message) {
    switch self {
    case .owner(let change): edit(&message) { change.owner(of: $0) }
    case .value(let change): edit(&message) { change.value(of: $0) }
    case .ttl(let range):
      edit(&message) { record in
        var record = record
        record.ttl = min(max(record.ttl, range.lowerBound), range.upperBound)
        return record
      }
    case .responseCode(let from, let to): if message.rcode == from { message.rcode = to }
    case .alias: break
    }
  }

  private func edit(_ message: inout Message, _ change: (ResourceRecord) -> ResourceRecord?) {
    for section in Message.Section.allCases { message[section] = message[section].map { change($0) ?? $0 } }
  }
}

/// One rule of `rewrite`, its patterns compiled.
struct RewriteRule: Sendable {
  private enum Kind: Sendable {
    case name(NameChange, Restoring, [ReplyChange])
    case type(from: UInt16, to: UInt16)
    case recordClass(from: UInt16, to: UInt16)
    case reply(NameChange, ReplyChange)
    case alias(ReplyChange)
    case edns(EDNSChange)
  }

  /// How an answer's names are turned back of themselves.
  private enum Restoring: Sendable {
    case none
    /// The new name becomes the old one.
    case name
    /// So does each name with the new suffix.
    case suffix(NameChange)
  }

  private let kind: Kind

  init(_ directive: RewriteDirective) throws(CorefileError) {
    do {
      kind = try Self.kind(directive.rule)
    } catch {
      throw CorefileError(
        "plugin/rewrite: invalid regular expression: \(error)", at: directive.location, directive: "rewrite")
    }
  }

  private static func kind(_ rule: RewriteDirective.Rule) throws(PatternError) -> Kind {
    switch rule {
    case .name(let match, let to, let answer):
      var changes: [ReplyChange] = []
      for one in answer.replacements {
        let change = NameChange.pattern(try Pattern(one.pattern), to: one.to)
        changes.append(one.part == .name ? .owner(change) : .value(change))
      }
      let restoring: Restoring =
        !answer.isAutomatic ? .none : match.kind == .suffix ? .suffix(.suffix(to, to: match.text)) : .name
      return .name(try NameChange(match, to: to), restoring, changes)
    case .type(let from, let to): return .type(from: from.value, to: to.value)
    case .recordClass(let from, let to): return .recordClass(from: from.value, to: to.value)
    case .ttl(let match, let range): return .reply(try NameChange(match), .ttl(range))
    case .responseCode(let match, let from, let to):
      return .reply(try NameChange(match), .responseCode(from: from.value, to: to.value))
    case .cname(let match, let to): return .alias(.alias(try NameChange(match, to: to)))
    case .edns(let change): return .edns(change)
    }
  }

  /// Changes the query and says what is to be done to its answer; nil: the rule is not for it.
  func apply(to query: inout ChainQuery) -> [ReplyChange]? {
    switch kind {
    case .name(let change, let restoring, let changes):
      guard let name = change.apply(to: query.name) else { return nil }
      let before = query.name
      query.name = name
      switch restoring {
      case .none: return changes
      case .name:
        let back = NameChange.exact(name, to: before)
        return changes + [.owner(back), .value(back)]
      case .suffix(let back): return changes + [.owner(back), .value(back)]
      }
    case .type(let from, let to):
      guard query.type == from else { return nil }
      query.type = to
      return []
    case .recordClass(let from, let to):
      guard query.recordClass == from else { return nil }
      query.recordClass = to
      return []
    case .reply(let match, let change): return match.matches(query.name) ? [change] : nil
    case .alias(let change): return [change]
    case .edns(let change): return query.apply(change) ? [] : nil
    }
  }
}
