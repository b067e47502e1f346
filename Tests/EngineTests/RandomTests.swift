import Simulation
import Testing

/// A million queries of random traffic under random faults. A failing seed prints the command that runs it again.
@Suite struct RandomTests {
  @Test func holdsWhatIsPromisedUnderRandomFaults() async {
    await withTaskGroup { group in
      for seed: UInt64 in 1...100 {
        group.addTask {
          #expect(Run(seed: seed, queries: 10_000).problems == [], "again: Tools/simulate --seed \(seed)")
        }
      }
    }
  }

  /// Old answers are among what is checked.
  @Test func oldAnswersAreGiven() {
    var sum = Tally()
    for seed: UInt64 in 1...8 { sum += Run(seed: seed, queries: 2000).tally }
    #expect(sum.stale > 100)
  }

  /// The same seed is the same run, or a failing one could not be looked at again.
  @Test func aSeedIsOneRun() {
    #expect(Run(seed: 3, queries: 2000).tally == Run(seed: 3, queries: 2000).tally)
  }
}
