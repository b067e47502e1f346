import Corefile
import Engine
import Wire

/// `rewrite`: changes queries, rule by rule, and their answers back, in reverse.
struct Rewrite: Stage {
  private let rules: [(rule: RewriteRule, stops: Bool)]

  init(_ directives: [RewriteDirective]) throws(CorefileError) {
    var rules: [(RewriteRule, Bool)] = []
    for directive in directives { rules.append((try RewriteRule(directive), directive.mode == .stop)) }
    self.rules = rules
  }

  func handle(_ query: ChainQuery, next: @escaping @Sendable (ChainQuery) -> Outcome) -> Outcome {
    var query = query
    var changes: [ReplyChange] = []
    var isChanged = false
    for (rule, stops) in rules {
      guard let more = rule.apply(to: &query) else { continue }
      isChanged = true
      changes += more
      if stops { break }
    }
    guard isChanged else { return next(query) }
    let (asked, all) = (query, changes)
    return next(asked).map { Self.change($0, all[...], asked, next) }
  }

  /// Applies the last of the changes, then those before it.
  private static func change(
    _ message: Message, _ changes: ArraySlice<ReplyChange>, _ query: ChainQuery,
    _ next: @escaping @Sendable (ChainQuery) -> Outcome
  ) -> Outcome {
    var message = message
    message.writer = .rewrite
    guard let last = changes.last else { return .answer(message) }
    let rest = changes.dropLast()
    guard case .alias(let change) = last else {
      last.apply(to: &message)
      return Self.change(message, rest, query, next)
    }
    guard
      let place = message.answers.firstIndex(where: { $0.type == Wire.RecordType.cname && change.value(of: $0) != nil }
      ),
      let alias = change.value(of: message.answers[place])
    else { return Self.change(message, rest, query, next) }
    // What stood behind the alias goes; what stands behind the new one is asked for.
    message.answers.removeSubrange((place + 1)...)
    message.answers[place] = alias
    let found = message
    var target = query
    target.name = ZoneName(wire: WireName.folded(alias.data))
    let outcome = next(target)
    if case .fail = outcome { return Self.change(found, rest, query, next) }
    return outcome.map { answer in
      var whole = found
      whole.flags |= answer.flags & Header.tc
      whole.answers += answer.answers
      return Self.change(whole, rest, query, next)
    }
  }
}
