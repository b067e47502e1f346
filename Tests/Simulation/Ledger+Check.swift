import Engine

extension Ledger {
  /// Whether a reply is a right one: the query's own id, flags, question and EDNS, what an upstream said of the name, not
  /// longer ago than it may be kept, and a TTL that does not go beyond that.
  func check(_ bytes: [UInt8], of query: Query) {
    func wrong(_ what: String) {
      world.report("\(what) in the reply to \(query.asked) (\(query.isStream ? "TCP" : "UDP")): \(bytes)")
    }
    guard let reply = Message(bytes) else { return wrong("malformed bytes") }
    if reply.id != query.id { return wrong("another id") }
    if reply.flags & 0xF910 != 0x8000 | query.flags & 0x0110 { return wrong("flags") }
    if reply.question != query.question { return wrong("another question") }
    if (reply.opt != nil) != (query.opt != nil) { return wrong("OPT") }
    var reason: UInt8?
    if let opt = reply.opt, let asked = query.opt {
      reason = opt.options.count == asked.options.count + 6 ? opt.options.last : nil
      let error: [UInt8] = reason.map { [0, 15, 0, 2, 0, $0] } ?? []
      if opt.options != asked.options + error || opt.ttl != (query.asked.dnssecOK ? 0x8000 : 0) {
        return wrong("OPT content")
      }
    }
    let limit = query.isStream ? 65_535 : query.opt.map { max(512, min(1232, Int($0.size))) } ?? 512
    if bytes.count > limit { return wrong("\(bytes.count) octets") }
    if !reply.additionals.isEmpty { return wrong("additional records") }

    var found: String?
    for told in told[query.asked, default: []] where says(reply, told.content, query) {
      // Who sent EDNS is told that an answer is old (RFC 8914 §4.4, §4.20).
      let old: UInt8 = reply.rcode == 3 ? 19 : 3
      if query.opt == nil || reason == old, told.stale > 0 {
        if staleFault(told, reply, query) == nil {
          staleReplies += 1
          return
        }
      }
      if reason == nil || reason == 13 && reply.rcode == 2 {
        found = fault(told, reply, query)
        if found == nil { return }
      }
    }
    if mayRefuse, isBare(reply, 5), reason == nil {
      refusals += 1
      return
    }
    guard isBare(reply, 2) else { return wrong(found ?? "what no upstream said") }
    if let reason, ![0, 13, 22, 23, 24].contains(reason) { return wrong("extended error \(reason)") }
    failures += 1
  }

  /// Nothing but a response code, as on our own account.
  private func isBare(_ reply: Message, _ rcode: UInt16) -> Bool {
    reply.rcode == rcode && reply.answers.isEmpty && reply.authorities.isEmpty && !reply.isTruncated
  }

  /// Whether a reply has this content, or as much of it as a datagram holds.
  private func says(_ reply: Message, _ content: Content, _ query: Query) -> Bool {
    guard reply.rcode == content.rcode else { return false }
    guard reply.isTruncated else {
      return same(reply.answers, content.answers[...]) && same(reply.authorities, content.authorities[...])
    }
    let size = 12 + query.question.count + content.size + 11 + (reply.opt?.options.count ?? 0)
    return !query.isStream && size > 512 && same(reply.answers, content.answers.prefix(reply.answers.count))
  }

  /// Records equal but for TTL.
  private func same(_ some: [Content.Record], _ others: ArraySlice<Content.Record>) -> Bool {
    some.count == others.count
      && zip(some, others).allSatisfy { $0.owner == $1.owner && $0.type == $1.type && $0.data == $1.data }
  }

  /// What is wrong with the age and TTL of a reply that is old, if it is this that an upstream said.
  private func staleFault(_ told: Told, _ reply: Message, _ query: Query) -> String? {
    let end = told.clock + told.lifetime + told.stale + world.transit + 2 * second
    if world.clock > end { return "an old answer, \((world.clock - end) / millisecond) ms too old" }
    // A reply may be of a configuration that has left since.
    let records = reply.answers + reply.authorities
    return staleTTLs.contains { ttl in records.allSatisfy { $0.ttl == ttl } } ? nil : "an old answer's TTL"
  }

  /// What is wrong with a reply's age and TTL, if it is this that an upstream said.
  private func fault(_ told: Told, _ reply: Message, _ query: Query) -> String? {
    // A datagram is seen as it leaves; what comes over a stream has been on its way a little longer.
    let onItsWay = world.transit + (query.isStream ? second : 0)
    let start = told.clock + world.sleep(from: told.time, to: told.time + world.transit)
    let now = world.clock - (query.isStream ? world.sleep(from: world.time - onItsWay, to: world.time) : 0)
    let end = start + told.lifetime + onItsWay
    if now > end { return "an answer that expired \((now - end) / millisecond) ms ago" }
    let records = reply.answers + reply.authorities
    guard let first = records.first else { return nil }
    guard told.isCached else {
      let original = told.content.answers.prefix(reply.answers.count) + told.content.authorities
      return zip(records, original).allSatisfy { $0.ttl <= $1.ttl } ? nil : "a TTL above the original"
    }
    if !records.allSatisfy({ $0.ttl == first.ttl }) { return "different TTLs" }
    // Whole seconds, rounded up.
    if now + UInt64(first.ttl) * second >= end + second { return "TTL \(first.ttl), too long by then" }
    return nil
  }
}
