/// Something to measure, a round at a time. Only `run` is measured.
protocol Workload: AnyObject {
  /// Sets the stage for a round.
  func prepare()
  func run()
  /// Looks at what the round did, and returns how many operations came to a right end in it.
  func finish() -> Int
}

extension Workload {
  func prepare() {}
}

/// A workload and what its figures are known by.
struct Benchmark: Sendable {
  let name: String
  let make: @Sendable () -> any Workload

  /// Operations of one repetition, at least: as many as there are names.
  static let operations = Service.count

  /// The pieces of the path first, then the path.
  static let all = [
    Benchmark(name: "parse") { Parse() },
    Benchmark(name: "fold-hash") { FoldHash() },
    Benchmark(name: "lookup-hit") { Lookup(hits: true) },
    Benchmark(name: "lookup-miss") { Lookup(hits: false) },
    Benchmark(name: "image") { Image() },
    Benchmark(name: "worst-query-512") { WorstQuery() },
    Benchmark(name: "worst-response-512") { WorstResponse.letters(512) },
    Benchmark(name: "worst-pointers-512") { WorstResponse.pointers(512, type: 17) },
    Benchmark(name: "worst-response-64k-per-64") { WorstResponse.pointers(65_535, type: 14) },
    Benchmark(name: "insert-replacing") { Replacing() },
    Benchmark(name: "insert-evicting") { Evicting() },
    Benchmark(name: "hit-1") { Hit(batch: 1) },
    Benchmark(name: "hit-16") { Hit(batch: 16) },
    Benchmark(name: "hit-64") { Hit(batch: 64) },
    Benchmark(name: "hit-tcp-16") { StreamHit(batch: 16) },
    Benchmark(name: "miss-16") { Miss(batch: 16) },
  ]
}
