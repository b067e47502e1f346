import Memory
import Wire

/// A client's query that waits for an upstream's answer: what it takes to answer it as if it were alone.
struct Waiter: BitwiseCopyable {
  var next = -1
  let origin: Origin
  let id: UInt16
  let flags: UInt16
  let spelling: Spelling
  let hasEDNS: Bool
  let udpSize: UInt16
  let dnssecOK: Bool
  let optionsLength: Int
  let requestSize: Int
  /// Of the clients, as `Shard.waiting` counts them.
  let share: UInt16

  /// Echoed options kept of one client, octets; a cookie at its longest has 44. Longer ones are not echoed.
  static let maxOptions = 64

  func query(nameLength: Int, type: UInt16, recordClass: UInt16) -> Query {
    Query(
      id: id, flags: flags, nameLength: nameLength, type: type, recordClass: recordClass,
      edns: hasEDNS ? EDNS(udpSize: udpSize, dnssecOK: dnssecOK) : nil)
  }
}
