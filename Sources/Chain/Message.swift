import Corefile
import Engine
import Memory
import Wire

/// A resource record, the names in its data written out.
struct ResourceRecord: Hashable, Sendable {
  /// Wire format.
  var owner: [UInt8]
  var type: UInt16
  var recordClass: UInt16 = 1
  /// Seconds.
  var ttl: UInt32
  var data: [UInt8]

  /// Where the first name in the data starts and ends, for types whose data have names.
  var nameRange: Range<Int>? {
    guard let layout = RecordDataLayout(type) else { return nil }
    var start = layout.before
    for _ in 0..<layout.strings {
      guard start < data.count else { return nil }
      start += Int(data[start]) + 1
    }
    var end = start
    while end < data.count, data[end] != 0 { end += Int(data[end]) + 1 }
    return end < data.count ? start..<(end + 1) : nil
  }
}

/// A response as directives change it: sections of records, without its question.
struct Message: Sendable {
  enum Section: CaseIterable { case answers, authorities, additionals }

  /// AA, TC, RA and AD; the rest is the engine's.
  var flags: UInt16 = 0
  var rcode: UInt16 = 0
  var answers: [ResourceRecord] = []
  var authorities: [ResourceRecord] = []
  var additionals: [ResourceRecord] = []
  /// EDNS options for this reply alone.
  var options: [UInt8] = []
  /// The directive that made it what it is; `chain`: none of these.
  var writer = Writer.chain

  init(flags: UInt16 = 0, rcode: UInt16 = 0, by writer: Writer = .chain) {
    self.writer = writer
    self.flags = flags
    self.rcode = rcode
  }

  subscript(section: Section) -> [ResourceRecord] {
    get {
      switch section {
      case .answers: answers
      case .authorities: authorities
      case .additionals: additionals
      }
    }
    set {
      switch section {
      case .answers: answers = newValue
      case .authorities: authorities = newValue
      case .additionals: additionals = newValue
      }
    }
  }
}

extension Message {
  /// Reads a response whose header and question are sound; nil if the rest is malformed.
  init?(_ message: Bytes) {
    guard let question = Name.plainLength(message, at: Header.length) else { return nil }
    flags = message.flags & (Header.aa | Header.tc | Header.ra | Header.ad)
    rcode = message.flags & Header.rcodeMask
    var at = Header.length + question + 4
    // Compression may make a short message long work: what is written out has a bound, that of a message.
    var room = Reply.maxStream
    for (section, count) in zip(
      Section.allCases, [message.answerCount, message.authorityCount, message.additionalCount])
    {
      var records: [ResourceRecord] = []
      for _ in 0..<count {
        guard let place = Record(message, at: at) else { return nil }
        at = place.end
        if place.type == RecordType.opt {
          guard section == .additionals, let opt = EDNS(message, place) else { return nil }
          rcode |= UInt16(opt.extendedRcode) << 4
          continue
        }
        guard let record = ResourceRecord(message, place) else { return nil }
        room -= record.owner.count + 10 + record.data.count
        guard room >= 0 else { return nil }
        records.append(record)
      }
      self[section] = records
    }
  }

  /// Leaves out answers that neither `name` (folded) nor an alias before them leads to: as `ImageWriter` does.
  mutating func keepChain(from name: [UInt8]) {
    var name = name
    answers = answers.filter { record in
      let owner = WireName.folded(record.owner)
      guard owner == name else {
        return record.type == RecordType.rrsig
          || record.type == RecordType.dname && ZoneName(wire: owner).contains(ZoneName(wire: name))
      }
      if record.type == RecordType.cname { name = WireName.folded(record.data) }
      return true
    }
  }

  /// The message in wire format, as the answer to a question; nil if it is too large.
  func encoded(name: [UInt8], type: UInt16, recordClass: UInt16) -> [UInt8]? {
    var out: [UInt8] = [0, 0]
    out.append(u16: Header.qr | flags | rcode & Header.rcodeMask)
    out.append(u16: 1)
    for section in Section.allCases {
      let isExtended = section == .additionals && rcode > Header.rcodeMask
      guard let count = UInt16(exactly: self[section].count + (isExtended ? 1 : 0)) else { return nil }
      out.append(u16: count)
    }
    out += name
    out.append(u16: type)
    out.append(u16: recordClass)
    for section in Section.allCases {
      for record in self[section] {
        guard let length = UInt16(exactly: record.data.count) else { return nil }
        out += record.owner
        out.append(u16: record.type)
        out.append(u16: record.recordClass)
        out.append(u32: record.ttl)
        out.append(u16: length)
        out += record.data
      }
    }
    if rcode > Header.rcodeMask { out += [0, 0, 41, 0, 0, UInt8(truncatingIfNeeded: rcode >> 4), 0, 0, 0, 0, 0] }
    return out.count <= Reply.maxStream ? out : nil
  }
}

extension ResourceRecord {
  /// nil: malformed.
  fileprivate init?(_ message: Bytes, _ place: Record) {
    guard let owner = Name.expanded(message, at: place.owner) else { return nil }
    self.init(
      owner: owner, type: place.type, recordClass: place.recordClass, ttl: place.ttl(message), data: [])
    guard let layout = RecordDataLayout(place.type) else {
      data = message.slice(place.data, place.dataLength).octets
      return
    }
    var at = place.data + layout.before
    for _ in 0..<layout.strings {
      guard at < place.end else { return nil }
      at += Int(message[at]) + 1
    }
    guard at <= place.end else { return nil }
    data = message.slice(place.data, at - place.data).octets
    for _ in 0..<layout.names {
      guard let next = Name.skip(message, at: at), next <= place.end, let name = Name.expanded(message, at: at) else {
        return nil
      }
      data += name
      at = next
    }
    guard at + layout.after == place.end else { return nil }
    data += message.slice(at, layout.after).octets
  }
}

extension [UInt8] {
  mutating func append(u16 value: UInt16) {
    append(UInt8(truncatingIfNeeded: value >> 8))
    append(UInt8(truncatingIfNeeded: value))
  }

  mutating func append(u32 value: UInt32) {
    append(u16: UInt16(truncatingIfNeeded: value >> 16))
    append(u16: UInt16(truncatingIfNeeded: value))
  }
}
