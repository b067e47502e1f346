import Memory
import Wire

private let questions = Region(size: 512)
private let replies = Region(size: 65_536)
nonisolated(unsafe) private var writer = ImageWriter()

/// An upstream's response to its own question: the image, with stray answers and without, and replies made of it with
/// and without room.
func fuzzResponse(_ message: Bytes) {
  guard message.count >= Header.length, let nameLength = Name.plainLength(message, at: Header.length),
    Header.length + nameLength + 4 <= message.count
  else { return }
  let question = questions.bytes.slice(0, nameLength + 4)
  question.copy(message.slice(Header.length, nameLength + 4), at: 0)
  Name.fold(question.slice(0, nameLength))
  for chainOnly in [false, true] {
    guard let response = unsafe writer.write(message, question: question, chainOnly: chainOnly) else { continue }
    for (edns, limit) in [(nil, 512), (EDNS(udpSize: 1232, dnssecOK: true), 1232), (nil, 65_535)] {
      let query = Query(
        id: 0, flags: 0, nameLength: nameLength, type: message.u16(Header.length + nameLength), recordClass: 1,
        edns: edns)
      replies.bytes.copy(message.slice(0, query.questionEnd), at: 0)
      let length = unsafe Reply.write(
        to: replies.bytes.slice(0, limit), query: query, response: response, image: writer.image,
        ttlOffsets: writer.ttlOffsets, ttl: 30, limit: limit, options: message.slice(0, 0))
      check(replies.bytes.slice(0, length))
    }
  }
}

private let expanded = Region(size: 256)

/// A reply's records must be as many as its header says, every name well-formed, and nothing after them.
private func check(_ reply: Bytes) {
  var at = Header.length + Name.plainLength(reply, at: Header.length)! + 4
  for _ in 0..<reply.answerCount + reply.authorityCount + reply.additionalCount {
    let record = Record(reply, at: at)!
    var work = Name.maxWork
    precondition(Name.expand(reply, at: record.owner, into: expanded.bytes, work: &work) != nil)
    at = record.end
  }
  precondition(at == reply.count)
}
