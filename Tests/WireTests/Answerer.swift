import Memory
import Testing
import Wire

/// Takes a query and an upstream's response through admission, image and reply, as the engine does, and reads what a
/// client would get. Every buffer ends at a guard page.
final class Answerer {
  private var writer = ImageWriter()
  private let arenas = (message: Arena(), question: Arena(), response: Arena(), options: Arena())

  /// The query that a message is admitted as.
  func query(_ message: Message) throws -> Query {
    guard case .query(let query) = Admission(arenas.message.put(message.octets), stream: false) else {
      throw Malformed()
    }
    return query
  }

  /// The reply in a buffer of `limit` octets (or the query's length), or of what the client takes over UDP.
  func reply(
    to asked: Message, with response: Message, ttl: UInt32? = 300, limit: Int? = nil
  ) throws -> Decoded {
    try Decoder.message(try octets(to: asked, with: response, ttl: ttl, limit: limit))
  }

  func octets(to asked: Message, with answer: Message, ttl: UInt32?, limit: Int?) throws -> [UInt8] {
    let query = try query(asked)
    let limit = limit ?? Reply.limit(query, stream: false)
    let buffer = arenas.message.put(asked.octets, room: max(limit, asked.octets.count))
    let question = arenas.question.put(Array(asked.octets[12..<query.questionEnd]))
    Name.fold(question.slice(0, query.nameLength))
    guard let response = writer.write(arenas.response.put(answer.octets), question: question) else {
      throw Malformed()
    }
    let options = echoed(query, buffer)
    let length = Reply.write(
      to: buffer, query: query, response: response, image: writer.image, ttlOffsets: writer.ttlOffsets, ttl: ttl,
      limit: limit, options: options)
    #expect(length <= limit)
    return buffer.slice(0, length).octets
  }

  /// An error of our own.
  func error(to asked: Message, rcode: Int) throws -> Decoded {
    let query = try query(asked)
    let buffer = arenas.message.put(asked.octets)
    let length = Reply.error(to: buffer, query: query, rcode: UInt16(rcode), options: echoed(query, buffer))
    return try Decoder.message(buffer.slice(0, length).octets)
  }

  private func echoed(_ query: Query, _ message: Bytes) -> Bytes {
    let room = arenas.options.room(Reply.maxOptions)
    return room.slice(0, query.edns?.echoedOptions(message, into: room) ?? 0)
  }
}
