import Engine

extension Ledger {
  /// Whether a reply is a right one: the query's own id, flags, question and EDNS, the content that belongs to the name,
  /// and a TTL that only falls.
  func check(_ bytes: [UInt8], of query: Query) {
    func wrong(_ what: String) {
      world.report("\(what) in the reply to \(query.asked) (\(query.isStream ? "TCP" : "UDP")): \(bytes)")
    }
    guard let reply = Message(bytes) else { return wrong("malformed bytes") }
    if reply.id != query.id { return wrong("another id") }
    if reply.flags & 0xF910 != 0x8000 | query.flags & 0x0110 { return wrong("flags") }
    if reply.question != query.question { return wrong("another question") }
    if (reply.opt != nil) != (query.opt != nil) { return wrong("OPT") }
    if let opt = reply.opt, let asked = query.opt {
      if opt.options != asked.options || opt.ttl != (query.asked.dnssecOK ? 0x8000 : 0) { return wrong("OPT content") }
    }
    let limit = query.isStream ? 65_535 : query.opt.map { max(512, min(1232, Int($0.size))) } ?? 512
    if bytes.count > limit { return wrong("\(bytes.count) octets") }

    let content = Content(query.asked)
    if reply.rcode == 2, reply.answers.isEmpty, reply.authorities.isEmpty, !reply.isTruncated, content.rcode != 2 {
      failures += 1
      return
    }
    if reply.rcode != content.rcode { return wrong("response code") }
    if reply.isTruncated {
      let size = 12 + query.question.count + content.size + 11 + (query.opt?.options.count ?? 0)
      if query.isStream || size <= 512 { return wrong("TC") }
      if !same(reply.answers, Array(content.answers.prefix(reply.answers.count))) { return wrong("answers") }
    } else if !same(reply.answers, content.answers) || !same(reply.authorities, content.authorities) {
      return wrong("records")
    }
    if !reply.additionals.isEmpty { return wrong("additional records") }
    check(reply, content, query, wrong)
  }

  /// Records equal but for TTL.
  private func same(_ some: [Content.Record], _ others: [Content.Record]) -> Bool {
    some.count == others.count
      && zip(some, others).allSatisfy { $0.owner == $1.owner && $0.type == $1.type && $0.data == $1.data }
  }

  private func check(_ reply: Message, _ content: Content, _ query: Query, _ wrong: (String) -> Void) {
    let records = reply.answers + reply.authorities
    guard let first = records.first else { return }
    guard let cache = settings.chains[0].cache else {
      let original = content.answers.prefix(reply.answers.count) + content.authorities
      if !zip(records, original).allSatisfy({ $0.ttl <= $1.ttl }) { wrong("a TTL above the original") }
      return
    }
    if !records.allSatisfy({ $0.ttl == first.ttl }) { return wrong("different TTLs") }
    let isDenial = content.answers.isEmpty
    let least = isDenial ? cache.denialMin : cache.successMin
    if first.ttl > max(least, content.ttl) { return wrong("TTL \(first.ttl) above \(max(least, content.ttl))") }
    // The moment of expiry that the TTL stands for, to the second, may move back, but not on.
    // A datagram is seen as it leaves; what comes over a stream is a little old, or slept through a suspension.
    let end = world.clock + UInt64(first.ttl) * second
    let age = query.isStream ? second : 0
    if let known = expiry[query.asked], end > known + second + age, !query.isStream || world.suspended == 0 {
      return wrong("a TTL that grew to \(first.ttl)")
    }
    if !reply.isTruncated, !query.isStream { expiry[query.asked] = end }
  }
}
