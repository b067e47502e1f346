import Foundation
import FuzzTargets
import Testing

/// Each fuzz target's corpus, and a seeded few thousand mutations of it: the short form of `Tools/fuzz`.
///
/// RINGLET_FUZZ sets how many mutations of each target, RINGLET_SEED the seed. A crash takes the process with it: run the
/// target that was last named under `Tools/fuzz` to see its input.
@Suite(.serialized) struct FuzzTests {
  static let environment = ProcessInfo.processInfo.environment
  static let seed = environment["RINGLET_SEED"].flatMap { UInt64($0) } ?? 1

  /// A shard is made for each input of `framing`.
  static func count(_ target: FuzzTarget) -> Int {
    environment["RINGLET_FUZZ"].flatMap { Int($0) } ?? (target == .framing ? 1000 : 20_000)
  }

  static func corpus(_ target: FuzzTarget) throws -> [[UInt8]] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../Fuzz/corpus/\(target.rawValue)")
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    return try files.sorted { $0.path < $1.path }.map { Array(try Data(contentsOf: $0)) }
  }

  @Test(arguments: FuzzTarget.allCases) func survives(target: FuzzTarget) throws {
    let corpus = try Self.corpus(target)
    try #require(corpus.count >= 5)
    for input in corpus { target.run(input) }
    var mutator = Mutator(seed: Self.seed)
    for round in 0..<Self.count(target) {
      let other = corpus[Int(mutator.next() % UInt64(corpus.count))]
      target.run(mutator.mutate(corpus[round % corpus.count], with: other))
    }
  }
}
