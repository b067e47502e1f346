import Cache
import Testing

/// Walks everything a segment holds and checks what must be true of it at rest.
struct Census {
  var live = 0
  var gaps = 0

  init(_ reader: SegmentReader) {
    var counted: [[Int]] = Array(repeating: [0, 0], count: reader.layout.zones)
    for log in reader.logs {
      var position = log.tail
      while position != log.head {
        let shape = EntryShape(raw: log.words.relaxed(log.at(position)))
        #expect(shape.isGap || shape.isEntry)
        #expect(shape.words > 0 && log.at(position) + shape.words <= log.words.count)
        if shape.isGap {
          gaps += 1
        } else {
          let header = EntryHeader(log.words, at: log.at(position))
          let slot = Slot(tag: Slot.tag(of: header.hash), log: log.name, position: position)
          if reader.index.find(slot, header.hash) != nil {
            live += 1
            counted[header.zone][Int(log.name.store.rawValue)] += 1
          }
        }
        position = log.after(position, shape.words)
      }
    }
    // Every slot in use was met on the walk: none points outside of tail and head, or into an entry.
    var used = 0
    for at in 0..<reader.layout.slots where !reader.index[at].isEmpty { used += 1 }
    #expect(used == live)
    for zone in 0..<reader.layout.zones {
      for store in Store.allCases {
        #expect(reader.entries(zone: zone, store: store) == UInt64(counted[zone][Int(store.rawValue)]))
      }
    }
  }
}

extension SegmentReader {
  var logs: [Log] { (0..<4).map { log(LogName(rawValue: UInt8($0))) } }
}
