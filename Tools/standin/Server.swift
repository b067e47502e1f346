/// Answers questions; knows no socket. All of it lives on one event loop.
final class Server {
  let options: Options
  var counts = Counts()

  struct Options: Sendable {
    /// Answer below example.com and test, too.
    var any = false
    var compress = true
    /// One question at a time per TCP connection.
    var serial = false
    /// Questions after which a TCP connection is closed.
    var closeAfter: Int?
    var idleSeconds: Int64 = 10
  }

  /// What to do with a message that gets an answer (or the end of its connection).
  struct Plan {
    /// One message, or two where the script doubles it.
    var messages: [[UInt8]]
    var delayMilliseconds: Int64 = 0
    /// The rest counts for TCP only.
    var ending = Ending.none
    var split: Script.Split?
  }

  /// How a scripted question ends its TCP connection.
  enum Ending: Equatable {
    case none
    /// FIN in place of the answer.
    case close
    /// RST after so many octets of the frame.
    case reset(after: Int)
  }

  init(_ options: Options) { self.options = options }

  /// What to do with one message; nil for nothing. Any bytes are allowed.
  func plan(for message: [UInt8], over transport: Transport) -> Plan? {
    switch Received(message) {
    case .ignored:
      return nil
    case .rejected(let query, let rcode):
      return Plan(messages: [encode(Response(rcode: rcode), query, over: transport)])
    case .query(let query, let question):
      return plan(query, question, over: transport)
    }
  }

  private func plan(_ query: Query, _ question: Query.Question, over transport: Transport) -> Plan? {
    let folded = question.name.folded
    let labels = folded.labels
    let times = counts.received(folded, type: question.type, over: transport)
    guard let zone = Zone(labels, any: options.any), question.recordClass == 1 else {
      return Plan(messages: [encode(Response(rcode: Rcode.refused), query, over: transport)])
    }
    var scriptLabels = 0
    var script = Script(labels.dropLast(zone.labels.count), consumed: &scriptLabels)
    if let first = script.first, let times, times > first { script = Script(ttl: script.ttl) }
    if script.drop { return nil }

    let asked = Asked(
      name: question.name, type: question.type, ttl: script.ttl, labels: Array(labels.dropFirst(scriptLabels)),
      scriptLabels: scriptLabels)
    var response = response(zone, asked, script)
    if script.truncate, transport == .udp { response = Response(rcode: Rcode.noError, truncated: true) }
    return Plan(
      messages: messages(response, query, script, over: transport), delayMilliseconds: script.delayMilliseconds,
      ending: script.ending, split: script.split)
  }

  private func response(_ zone: Zone, _ asked: Asked, _ script: Script) -> Response {
    if let rcode = script.rcode { return Response(rcode: rcode) }
    let content = zone.content(asked)
    var response = Response(rcode: content == nil ? Rcode.nameError : Rcode.noError)
    response.authoritative = zone.authoritative
    response.recursionAvailable = !zone.authoritative
    response.answers = content?.answers ?? []
    response.additional = content?.additional ?? []
    if response.answers.last?.type != asked.type, !script.withoutSOA {
      response.authority = [zone.authority(ttl: asked.ttl)]
    }
    return response
  }

  private func messages(
    _ response: Response, _ query: Query, _ script: Script, over transport: Transport
  ) -> [[UInt8]] {
    let right = encode(response, query, withOPT: !script.withoutOPT, over: transport)
    var first = right
    if script.wrongID { first[1] ^= 0xFF }
    // The last octet of the question's first label; no label of a zone is empty.
    if script.wrongQuestion { first[12 + Int(first[12])] ^= 0x01 }
    return script.twice ? [first, right] : [first]
  }

  private func encode(
    _ response: Response, _ query: Query, withOPT: Bool = true, over transport: Transport
  ) -> [UInt8] {
    let limit = transport == .tcp ? 65_535 : Int(max(512, query.edns?.payloadSize ?? 512))
    return MessageWriter.message(response, to: query, withOPT: withOPT, compress: options.compress, limit: limit)
  }
}

extension Script {
  fileprivate var ending: Server.Ending {
    if close { return .close }
    return resetAfter.map { .reset(after: $0) } ?? .none
  }
}
