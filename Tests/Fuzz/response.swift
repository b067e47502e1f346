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
    let kept = chainOnly ? onChain(message, nameLength) : nil
    for (edns, limit) in [(nil, 512), (EDNS(udpSize: 1232, dnssecOK: true), 1232), (nil, 65_535)] {
      let query = Query(
        id: 0, flags: 0, nameLength: nameLength, type: message.u16(Header.length + nameLength), recordClass: 1,
        edns: edns)
      replies.bytes.copy(message.slice(0, query.questionEnd), at: 0)
      let length = unsafe Reply.write(
        to: replies.bytes.slice(0, limit), query: query, response: response, image: writer.image,
        ttlOffsets: writer.ttlOffsets, ttl: 30, limit: limit, options: message.slice(0, 0))
      check(replies.bytes.slice(0, length))
      // Nothing was left out of it for want of room, and its records' order can be told: those of one section stay so.
      guard limit == 65_535, replies.bytes.flags & 0x0200 == 0 else { continue }
      if chainOnly {
        precondition(answerTypes(replies.bytes.slice(0, length), nameLength) == kept)
      } else {
        compare(replies.bytes.slice(0, length), message, nameLength)
      }
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

private let others = Region(size: 256)

/// The names of a reply's records, and within their data, are those of the upstream's, in the same order: only where they
/// are compressed is another matter. An OPT record is not passed on.
private func compare(_ reply: Bytes, _ message: Bytes, _ nameLength: Int) {
  var at = Header.length + nameLength + 4
  var other = at
  for _ in 0..<reply.answerCount + reply.authorityCount + reply.additionalCount {
    let record = Record(reply, at: at)!
    var origin = Record(message, at: other)!
    while origin.type == RecordType.opt {
      other = origin.end
      origin = Record(message, at: other)!
    }
    precondition(record.type == origin.type)
    requireSame(reply, record.owner, message, origin.owner)
    if let layout = RecordDataLayout(record.type) {
      var (name, originName) = (record.data + layout.before, origin.data + layout.before)
      for _ in 0..<layout.strings {
        name += Int(reply[name]) + 1
        originName += Int(message[originName]) + 1
      }
      for _ in 0..<layout.names {
        requireSame(reply, name, message, originName)
        name = Name.skip(reply, at: name)!
        originName = Name.skip(message, at: originName)!
      }
    }
    at = record.end
    other = origin.end
  }
}

private func requireSame(_ reply: Bytes, _ name: Int, _ message: Bytes, _ other: Int) {
  var work = Name.maxWork
  // One that the upstream compressed so that a walk of it alone takes too long may have come out shorter.
  guard let count = Name.expand(message, at: other, into: others.bytes, work: &work) else { return }
  work = Name.maxWork
  let length = Name.expand(reply, at: name, into: expanded.bytes, work: &work)
  precondition(length == count)
  Name.fold(others.bytes.slice(0, count))
  Name.fold(expanded.bytes.slice(0, count))
  precondition(expanded.bytes.slice(0, count).equals(others.bytes.slice(0, count)))
}

/// The types of the answers that belong to the chain of aliases from the question's name on, as one reads them who expands
/// every name. All owners are well-formed, or there would be no response.
private func onChain(_ message: Bytes, _ nameLength: Int) -> [UInt16] {
  func name(_ at: Int) -> [UInt8] {
    Name.expanded(message, at: at)!.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
  }
  var chain = name(Header.length)
  var kept: [UInt16] = []
  var at = Header.length + nameLength + 4
  for _ in 0..<message.answerCount {
    let record = Record(message, at: at)!
    let owner = name(record.owner)
    if owner == chain {
      kept.append(record.type)
      if record.type == RecordType.cname { chain = name(record.data) }
    } else if record.type == RecordType.rrsig || record.type == RecordType.dname && isAbove(owner, chain) {
      kept.append(record.type)
    }
    at = record.end
  }
  return kept
}

private func isAbove(_ ancestor: [UInt8], _ name: [UInt8]) -> Bool {
  var at = 0
  while name.count - at > ancestor.count { at += Int(name[at]) + 1 }
  return Array(name[at...]) == ancestor
}

private func answerTypes(_ reply: Bytes, _ nameLength: Int) -> [UInt16] {
  var at = Header.length + nameLength + 4
  return (0..<reply.answerCount).map { _ in
    let record = Record(reply, at: at)!
    at = record.end
    return record.type
  }
}
