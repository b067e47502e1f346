import Memory
import Wire

private let folded = Region(size: 256)
private let options = Region(size: Reply.maxOptions)
private let secret = HashSecret(1, 3, 5)

/// A client's message: admission, the key's fold, and an error in the place of the query.
func fuzzQuery(_ message: Bytes) {
  switch Admission(message, stream: message.count & 1 == 0) {
  case .drop: break
  case .bareError(let rcode): precondition(Reply.bareError(to: message, rcode: rcode) == Header.length)
  case .error(let query, let rcode): refuse(message, query, rcode)
  case .query(let query):
    _ = Name.fold(message, at: Header.length, length: query.nameLength, into: folded.bytes, salt: 0, secret: secret)
    refuse(message, query, Rcode.servFail)
  }
}

private func refuse(_ message: Bytes, _ query: Query, _ rcode: UInt16) {
  let echoed = query.edns?.echoedOptions(message, into: options.bytes) ?? 0
  let options = options.bytes.slice(0, min(echoed, Reply.maxOptions))
  let length = Reply.error(to: message, query: query, rcode: rcode, options: options)
  precondition(length <= message.count && message.flags & Header.qr != 0)
}
