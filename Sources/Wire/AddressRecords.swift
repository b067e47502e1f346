import Memory

/// The A and AAAA records of a message that may change places: those of one section, owner and type. Their data have no
/// names, so nothing points into them.
public enum AddressRecords {
  /// Of one group; those beyond stay where they are.
  static let most = 256

  /// Calls `body` with each group of two or more, in the order of the message. `message` is one of our own making.
  public static func each(in message: Bytes, _ body: ([Record]) -> Void) {
    guard message.questionCount == 1, let length = Name.plainLength(message, at: Header.length) else { return }
    var at = Header.length &+ length &+ 4
    for count in [message.answerCount, message.authorityCount, message.additionalCount] {
      var groups: [(owner: Int, type: UInt16, records: [Record])] = []
      for _ in 0..<count {
        guard let record = Record(message, at: at) else { return }
        at = record.end
        guard record.type == RecordType.a || record.type == RecordType.aaaa else { continue }
        let owner = start(of: record.owner, in: message)
        if let group = groups.firstIndex(where: {
          $0.owner == owner && $0.type == record.type && $0.records[0].dataLength == record.dataLength
        }) {
          if groups[group].records.count < most { groups[group].records.append(record) }
        } else {
          groups.append((owner, record.type, [record]))
        }
      }
      for group in groups where group.records.count > 1 { body(group.records) }
    }
  }

  /// Where a name's first label stands, pointers followed: equal places are equal names.
  private static func start(of name: Int, in message: Bytes) -> Int {
    var at = name
    while message[at] & 0xC0 == 0xC0 {
      let target = Int(message.u16(at) & 0x3FFF)
      guard target < at else { return at }
      at = target
    }
    return at
  }
}
