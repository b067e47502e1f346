/// The zone that the upstream serves and the files of queries, made anew, and the same, in each run.
struct Queries {
  let session: Session
  private let hits = Popularity(count: 1000)
  private let services = Popularity(count: 4000)
  private let external = Popularity(count: 300)

  /// Names of services, of which each has an A and an AAAA record: whatever the upstream has, and nothing else, is
  /// NOERROR.
  static let inZone = 10_000
  /// Entries of each kind that the memory is measured with: 9,984 are what node-local installations configure.
  static let entries = 10_000

  init(session: Session) { self.session = session }

  private static func service(_ number: Int) -> String { "svc-\(number).ns-\(number % 50).svc.cluster.local" }

  func zone() throws -> String {
    var text = """
      $ORIGIN cluster.local.
      $TTL 30
      @ SOA ns.dns hostmaster 1 7200 1800 86400 30
      @ NS ns.dns
      ns.dns A 10.96.0.10

      """
    for number in 0..<Self.inZone {
      text += "\(Self.service(number)). A 10.96.\(number / 250).\(number % 250 + 1)\n"
      text += "\(Self.service(number)). AAAA fd00:96::\(String(number, radix: 16))\n"
    }
    return try session.write("cluster.zone", text)
  }

  /// One query that every server answers with an address.
  func probe() throws -> String { try session.write("probe.txt", "\(Self.service(0)) A\n") }

  /// Twice `entries` names of which the first half exists.
  func all() throws -> String {
    var text = ""
    for number in 0..<Self.entries {
      text += "\(Self.service(number)) A\nno-\(number).ns-\(number % 50).svc.cluster.local A\n"
    }
    return try session.write("all.txt", text)
  }

  /// The file to ask once before a round, so that what can be cached is.
  func warming(_ workload: Workload) throws -> String? {
    switch workload {
    case .one: try probe()
    case .hits: try session.write("warm-hits.txt", (0..<1000).map { "\(Self.service($0)) A\n" }.joined())
    case .mix, .flood: try session.write("warm-mix.txt", everyName + mixture)
    case .misses: nil
    }
  }

  /// The file of a round, and the part of its queries that have an address to be answered with. Of workloads whose
  /// queries are asked once there are more than any server answers in `seconds`.
  func measured(_ workload: Workload, round: Int, seconds: Int) throws -> (path: String, positive: Double) {
    var random = Random(seed: UInt64(round))
    var lines = ""
    switch workload {
    case .one: return (try probe(), 1)
    case .hits:
      random = Random(seed: 1)
      for _ in 0..<50_000 { lines += "\(Self.service(hits.draw(&random))) A\n" }
      return (try session.write("hits.txt", lines), 1)
    case .mix:
      let mixture = mixture
      let all = mixture.split(separator: "\n")
      return (try session.write("mix.txt", mixture), Double(all.count { $0.hasPrefix("svc-") }) / Double(all.count))
    case .misses:
      let count = 150_000 * seconds
      for number in 0..<count { lines += "u\(round)-\(number).ns-\(number % 50).svc.cluster.local A\n" }
      return (try session.write("misses.txt", lines), 0)
    case .flood:
      let count = 50_000 * seconds
      var positive = 0
      for number in 0..<count {
        if addName(to: &lines, &random) { positive += 1 }
        lines += "r\(round)-\(number).ns-\(number % 50).svc.cluster.local A\n"
      }
      return (try session.write("flood.txt", lines), Double(positive) / Double(2 * count))
    }
  }

  /// Every name of the mix once.
  private var everyName: String {
    let names = (0..<4000).map(Self.service) + (0..<900).map { Self.external($0 / 3, tail: $0 % 3) }
    return names.map { "\($0) A\n\($0) AAAA\n" }.joined()
  }

  /// 20,000 names of the mix.
  private var mixture: String {
    var (lines, random) = ("", Random(seed: 2))
    for _ in 0..<20_000 { _ = addName(to: &lines, &random) }
    return lines
  }

  /// An external name as the resolver of a pod in one of the namespaces asks for it first.
  private static func external(_ number: Int, tail: Int) -> String {
    "ext-\(number).example.com." + ["ns-\(number % 50).svc.cluster.local", "svc.cluster.local", "cluster.local"][tail]
  }

  /// One name of the mix: half the time a service, half the time an external name with a domain of the search path
  /// behind it (ndots:5), which is not there. Returns whether it has addresses.
  private func addName(to lines: inout String, _ random: inout Random) -> Bool {
    let isService = random.next() & 1 == 0
    let name =
      isService
      ? Self.service(services.draw(&random)) : Self.external(external.draw(&random), tail: Int(random.next() % 3))
    lines += "\(name) A\n"
    return isService
  }
}

/// Zipf's law with exponent 1: number k is drawn 1/(k+1) as often as number 0.
struct Popularity {
  /// Up to and including each number, how often one of them is drawn.
  private let cumulative: [Double]

  init(count: Int) {
    var sum = 0.0
    cumulative = (1...count).map { rank in
      sum += 1 / Double(rank)
      return sum
    }
  }

  func draw(_ random: inout Random) -> Int {
    let point = Double(random.next() >> 11) / Double(1 << 53) * cumulative.last!
    var (low, high) = (0, cumulative.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if cumulative[middle] > point { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers from the same seed.
struct Random: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
