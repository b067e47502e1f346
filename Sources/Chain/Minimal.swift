import Wire

/// `minimal`: answers go without authority and additional sections.
struct Minimal: Stage {
  func handle(_ query: ChainQuery, next: @escaping @Sendable (ChainQuery) -> Outcome) -> Outcome {
    next(query).map { message in
      var minimal = message
      minimal.writer = .minimal
      // A denial's SOA says how long it holds, and a referral is all authority.
      guard message.rcode == Rcode.noError, !message.answers.isEmpty else { return .answer(minimal) }
      minimal.authorities = []
      minimal.additionals = []
      return .answer(minimal)
    }
  }
}
