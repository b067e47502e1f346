import Cache
import Memory
import Wire

/// The same in every run, and with bits enough for the hash to tell names apart (Sources/README.md, 'A name's hash').
let chance: (UInt64, UInt64, UInt64) = (0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB)

/// Messages of one size side by side.
struct Messages: ~Copyable {
  private let memory: Region
  private let length: Int
  private let stride: Int

  init(length: Int) {
    self.length = length
    stride = (length + 63) & ~63
    memory = Region(size: Service.count * stride)
  }

  subscript(index: Int) -> Bytes { memory.bytes.slice(index &* stride, length) }

  static func queries() -> Messages {
    let queries = Messages(length: Service.queryLength)
    for number in 0..<Service.count { Service.writeQuery(number, to: queries[number]) }
    return queries
  }
}

/// `Admission`: header, question, records.
final class Parse: Workload {
  private let queries = Messages.queries()
  private var right = 0

  func run() {
    for index in 0..<Service.count {
      if case .query(let query) = Admission(queries[index], stream: false), query.type == RecordType.a { right &+= 1 }
    }
  }

  func finish() -> Int {
    defer { right = 0 }
    return right
  }
}

/// `Name.fold`: the name in lower case, and its hash.
final class FoldHash: Workload {
  private let queries = Messages.queries()
  private let folded = Region(size: 256)
  private let secret = HashSecret(chance.0, chance.1, chance.2)
  private var right = 0

  func run() {
    for index in 0..<Service.count {
      let hash = Name.fold(
        queries[index], at: Header.length, length: Service.nameLength, into: folded.bytes, salt: 0x1_0001,
        secret: secret)
      if hash != 0 { right &+= 1 }
    }
  }

  func finish() -> Int {
    defer { right = 0 }
    return right
  }
}

/// Keys of services, and what it takes to store answers under them.
final class Shelf {
  var segment: Segment
  private let names: Messages
  private let secret = HashSecret(chance.0, chance.1, chance.2)
  private var images = ImageWriter()
  private(set) var keys: [Key] = []

  init(success: Int) {
    names = Messages(length: (Service.nameLength + 7) & ~7)
    segment = Segment(
      Layout(
        success: success, denial: Layout.minimumStore, entries: success / 192, zones: 1, secret: (chance.0, chance.1)))
    keys.reserveCapacity(Service.count)
    let query = Region(size: 512)
    let response = Region(size: 512)
    Service.writeQuery(0, to: query.bytes)
    Service.writeResponse(to: query.bytes, into: response.bytes)
    let question = query.bytes.slice(Header.length, Service.nameLength + 4)
    precondition(images.write(response.bytes.slice(0, Service.responseLength), question: question) != nil)
    setKeys(from: 0)
  }

  /// The keys become those of services `number`, `number + 1`, ….
  func setKeys(from number: Int) {
    keys.removeAll(keepingCapacity: true)
    let message = Region(size: 512)
    for index in 0..<Service.count {
      Service.writeQuery(number + index, to: message.bytes)
      let name = names[index]
      let hash = Name.fold(
        message.bytes, at: Header.length, length: Service.nameLength, into: name, salt: 0x1_0001, secret: secret)
      keys.append(
        Key(
          hash: hash, name: name.slice(0, Service.nameLength), group: 0, qtype: RecordType.a,
          qclass: RecordClass.in, flags: []))
    }
  }

  /// Stores an answer under each key; returns how many were taken in as `insertion`.
  func insertAll(_ insertion: Insertion) -> Int {
    let answer = Answer(
      flags: Header.qr | Header.aa | Header.rd, answers: 1, authorities: 0, additionals: 0, zone: 0, store: .success,
      ttl: 30)
    var right = 0
    for key in keys
    where segment.insert(key, answer, image: images.image, ttlOffsets: images.ttlOffsets, now: 0) == insertion {
      right &+= 1
    }
    return right
  }
}

/// `SegmentReader.lookup`: of names that are there, or of as many that are not.
final class Lookup: Workload {
  private let shelf = Shelf(success: 4 << 20)
  private let scratch = Region(size: SegmentReader.scratchSize)
  private let hits: Bool
  private var right = 0

  init(hits: Bool) {
    self.hits = hits
    precondition(shelf.insertAll(.inserted) == Service.count)
    if !hits { shelf.setKeys(from: Service.count) }
  }

  func run() {
    let reader = shelf.segment.reader
    for key in shelf.keys {
      let found = reader.lookup(key, now: 0, scratch: scratch.bytes)
      if (found != nil) == hits { right &+= 1 }
    }
  }

  func finish() -> Int {
    defer { right = 0 }
    return right
  }
}

/// `ImageWriter.write`: an upstream's response becomes what the cache keeps.
final class Image: Workload {
  private let responses = Messages(length: Service.responseLength)
  private var images = ImageWriter()
  private var right = 0

  init() {
    let query = Region(size: 512)
    for number in 0..<Service.count {
      Service.writeQuery(number, to: query.bytes)
      Service.writeResponse(to: query.bytes, into: responses[number])
    }
  }

  func run() {
    for index in 0..<Service.count {
      let response = responses[index]
      let question = response.slice(Header.length, Service.nameLength + 4)
      if images.write(response, question: question, chainOnly: true)?.answers == 1 { right &+= 1 }
    }
  }

  func finish() -> Int {
    defer { right = 0 }
    return right
  }
}

/// `Segment.insert` of what is there already: an answer fetched again after its TTL.
final class Replacing: Workload {
  private let shelf = Shelf(success: 4 << 20)
  private var right = 0

  init() { precondition(shelf.insertAll(.inserted) == Service.count) }

  func run() { right = shelf.insertAll(.replaced) }
  func finish() -> Int { right }
}

/// `Segment.insert` of new names into a full cache: each pushes out another.
final class Evicting: Workload {
  private let shelf = Shelf(success: 256 << 10)
  private var next = 0
  private var right = 0

  init() {
    for _ in 0..<8 {
      prepare()
      run()
    }
  }

  func prepare() {
    shelf.setKeys(from: next)
    next += Service.count
  }

  func run() { right = shelf.insertAll(.inserted) }
  func finish() -> Int { right }
}
