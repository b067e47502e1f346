import Memory
import Wire

/// One question as an index of the catalogue: which name, under which suffix of the search path, for which type.
struct Question: BitwiseCopyable {
  var entry: UInt32
  /// 0: the name itself; else an element of the search path.
  var suffix: UInt8
  /// Index into the catalogue's types.
  var type: UInt8
}

/// All there is to ask, as parts of messages: a query is a header, an entry's labels, and a tail of suffix, type, class and
/// OPT.
final class Catalogue: Sendable {
  /// Pods are spread over this many namespaces: source socket i stands for a pod of ns-(i modulo this).
  static let namespaces = 50
  /// Names with fewer dots go through the search path first, those with as many or more are first tried as they are
  /// (resolv.conf(5)), as Kubernetes sets it up.
  static let ndots = 5
  /// The longest message: header, name, type and class, OPT.
  static let maxMessage = Header.length + Name.maxLength + 4 + EDNS.fixedLength
  private static let tailStride = 64
  /// Tails up to here are the same for all pods: the name itself, cluster.local, svc.cluster.local.
  private static let commonSuffixes = 3
  /// Payload size that dnsperf's -e offers.
  private static let udpSize: UInt16 = 4096

  let count: Int
  /// A and AAAA together, else the one type of the line.
  let typesPerLookup: Int
  let typeCodes: [UInt16]
  private let hasSearch: Bool
  private let labels: Region
  private let index: Region  // per entry: offset of its labels << 24 | type << 16 | order << 8 | length
  private let tails: Region  // per suffix and type: bytes, their count in the last octet
  private let optLength: Int

  /// What is tried for a name.
  private enum Order: UInt64 {
    case asItIs, searchPathFirst, searchPathLast
  }

  /// `pairs`: each name is asked for A and AAAA, whatever its line's type. `search`: names go through the search path
  /// unless they end in a dot. Throws for more than 255 types.
  init(_ queries: [QueryLine], pairs: Bool, search: Bool, edns: Bool, dnssecOK: Bool) throws(LoadError) {
    count = queries.count
    typesPerLookup = pairs ? 2 : 1
    var codes: [UInt16] = pairs ? [1, 28] : []
    var numbers = [Int](repeating: -1, count: 65_536)
    for query in queries where !pairs && numbers[Int(query.type)] < 0 {
      numbers[Int(query.type)] = codes.count
      codes.append(query.type)
    }
    guard codes.count <= 255 else { throw LoadError("more than 255 types in one file of queries") }
    typeCodes = codes

    index = Region(size: count * 8)
    labels = Region(size: max(1, queries.reduce(0) { $0 + $1.labels.count }))
    var offset = 0
    var searches = false
    for (entry, query) in queries.enumerated() {
      // A resolver leaves out what would be too long with the longest suffix.
      let isSearched =
        search && !query.isAbsolute && query.labels.count + Self.tailStride - 20 < Name.maxLength
      searches = searches || isSearched
      for (at, octet) in query.labels.enumerated() { labels.bytes[offset + at] = octet }
      let type = pairs ? 0 : numbers[Int(query.type)]
      let order = !isSearched ? Order.asItIs : query.dots < Self.ndots ? .searchPathFirst : .searchPathLast
      let flags = UInt64(type) << 16 | order.rawValue << 8 | UInt64(query.labels.count)
      index.bytes.set(word: UInt64(offset) << 24 | flags, at: entry * 8)
      offset += query.labels.count
    }
    hasSearch = searches

    optLength = edns || dnssecOK ? EDNS.fixedLength : 0
    let suffixes = searches ? Self.commonSuffixes + Self.namespaces : 1
    tails = Region(size: suffixes * codes.count * Self.tailStride)
    for suffix in 0..<suffixes {
      for (number, code) in codes.enumerated() {
        let tail = tails.bytes.slice((suffix * codes.count + number) * Self.tailStride, Self.tailStride)
        var at = try Self.writeSuffix(suffix, to: tail)
        tail.set(u16: code, at: at)
        tail.set(u16: RecordClass.in, at: at + 2)
        at += 4
        if optLength > 0 {
          at = EDNS.write(
            to: tail, at: at, udpSize: Self.udpSize, extendedRcode: 0, dnssecOK: dnssecOK, options: tail.slice(0, 0))
        }
        tail[Self.tailStride - 1] = UInt8(at)
      }
    }
  }

  private static func writeSuffix(_ suffix: Int, to tail: Bytes) throws(LoadError) -> Int {
    let names = [".", "cluster.local.", "svc.cluster.local."]
    let name = suffix < names.count ? names[suffix] : "ns-\(suffix - names.count).svc.cluster.local."
    let labels = try QueryLine(name: name, type: 0).labels
    for (at, octet) in labels.enumerated() { tail[at] = octet }
    tail[labels.count] = 0
    return labels.count + 1
  }

  /// How many questions of each type there can be, one by one, before a lookup of `entry` ends.
  @inline(__always) func steps(_ entry: Int) -> Int { order(entry) == Order.asItIs.rawValue ? 1 : 4 }

  @inline(__always) private func order(_ entry: Int) -> UInt64 { index.bytes.word(entry &* 8) >> 8 & 0xFF }

  /// The suffix that step `step` of a lookup by the pod behind socket `socket` tries.
  @inline(__always) func suffix(_ entry: Int, step: Int, socket: Int) -> Int {
    guard steps(entry) > 1 else { return 0 }
    // Of the four, the name itself is the last or the first.
    let place = order(entry) == Order.searchPathFirst.rawValue ? step : (step &+ 3) & 3
    return place == 0 ? Self.commonSuffixes &+ socket % Self.namespaces : 3 &- place
  }

  /// Which type number `number` of a lookup of `entry` is.
  @inline(__always) func type(_ entry: Int, _ number: Int) -> Int {
    typesPerLookup > 1 ? number : Int(index.bytes.word(entry &* 8) >> 16 & 0xFF)
  }

  @inline(__always) private func labels(_ question: Question) -> Bytes {
    let word = index.bytes.word(Int(question.entry) &* 8)
    return labels.bytes.slice(Int(word >> 24), Int(word & 0xFF))
  }

  @inline(__always) private func tail(_ question: Question) -> Bytes {
    let at = (Int(question.suffix) &* typeCodes.count &+ Int(question.type)) &* Self.tailStride
    return tails.bytes.slice(at, Int(tails.bytes[at &+ Self.tailStride &- 1]))
  }

  /// Writes the query at the front of `out`, at least `maxMessage` bytes, and returns its length.
  @inline(__always) func write(_ question: Question, id: UInt16, to out: Bytes) -> Int {
    let labels = labels(question)
    let tail = tail(question)
    out.set(u16: id, at: 0)
    out.setHeader(flags: Header.rd, questions: 1, answers: 0, authorities: 0, additionals: optLength > 0 ? 1 : 0)
    out.copy(labels, at: Header.length)
    out.copy(tail, at: Header.length &+ labels.count)
    return Header.length &+ labels.count &+ tail.count
  }

  /// Octets of the question's name, type and class.
  func questionLength(_ question: Question) -> Int { labels(question).count + tail(question).count - optLength }

  /// Whether the question section of `message` is this question, letters of either case being equal (RFC 4343).
  @inline(__always) func isQuestion(_ question: Question, of message: Bytes) -> Bool {
    let labels = labels(question)
    let tail = tail(question)
    let length = tail.count &- optLength
    guard message.count >= Header.length &+ labels.count &+ length, message.questionCount == 1 else { return false }
    let name = message.slice(Header.length, labels.count)
    let rest = message.slice(Header.length &+ labels.count, length)
    return (name.equals(labels) || isSame(name, labels))
      && (rest.equals(tail.slice(0, length))
        || isSame(rest.slice(0, length &- 4), tail.slice(0, length &- 4))
          && rest.u32(length &- 4) == tail.u32(length &- 4))
  }

  /// Length octets are below the letters, so folding leaves them alone.
  private func isSame(_ a: Bytes, _ b: Bytes) -> Bool {
    for at in 0..<a.count where a[at] != b[at] {
      guard a[at] | 0x20 == b[at] | 0x20, 0x61...0x7A ~= a[at] | 0x20 else { return false }
    }
    return true
  }

  /// A number for each question, below `questions`: the same for all lines that ask the same.
  var questions: Int { count * typesPerLookup * (hasSearch ? Self.commonSuffixes + Self.namespaces : 1) }

  @inline(__always) func number(_ question: Question, entry: Int) -> Int {
    let suffixes = hasSearch ? Self.commonSuffixes &+ Self.namespaces : 1
    let type = typesPerLookup > 1 ? Int(question.type) : 0
    return (entry &* suffixes &+ Int(question.suffix)) &* typesPerLookup &+ type
  }

  /// The labels of `entry`, folded, and its type: what makes two lines the same question.
  func identity(_ entry: Int) -> [UInt8] {
    let labels = labels(Question(entry: UInt32(entry), suffix: 0, type: 0))
    let searched = UInt8(steps(entry) > 1 ? 1 : 0)
    return (0..<labels.count).map { at in
      0x41...0x5A ~= labels[at] ? labels[at] | 0x20 : labels[at]
    } + [UInt8(type(entry, 0)), searched]
  }

  /// `name TYPE` for the reader of -v.
  func text(_ question: Question) -> String {
    let labels = labels(question)
    let tail = tail(question)
    let type = Int(typeCodes[Int(question.type)])
    let name = presentation(labels) + presentation(tail.slice(0, tail.count - optLength - 5))
    return "\(name.isEmpty ? "." : name.dropLast()) \(typeName(UInt16(type)))"
  }

  private func presentation(_ labels: Bytes) -> String {
    var text = ""
    var at = 0
    while at < labels.count {
      for octet in at + 1...at + Int(labels[at]) {
        text.unicodeScalars.append(Unicode.Scalar(labels[octet]))
      }
      text += "."
      at += Int(labels[at]) + 1
    }
    return text
  }
}
