import Glibc
import MallocCount

/// Runs a round. Callgrind counts the instructions of this function, by its name; what stands after the call keeps it a
/// call, whose end callgrind sees.
@inline(never) func collected(_ workload: any Workload, _ rounds: inout Int) {
  workload.run()
  rounds += 1
}

/// Callgrind writes down its count before this function.
@inline(never) func collectionEnds(_ benchmark: Benchmark) { print(benchmark.name) }

/// What a number of operations took.
struct Measurement {
  var operations = 0
  var nanoseconds: UInt64 = 0
  var mallocs: UInt64 = 0

  /// Rounds until there are as many operations as a repetition has. nil: operations came to a wrong end.
  init?(_ workload: any Workload) {
    var rounds = 0
    while operations < Benchmark.operations {
      workload.prepare()
      let mallocsBefore = malloc_count()
      let before = Self.clock()
      collected(workload, &rounds)
      nanoseconds += Self.clock() - before
      mallocs += malloc_count() - mallocsBefore
      operations += workload.finish()
      guard rounds <= 2 * Benchmark.operations else { return nil }
    }
    guard operations == Benchmark.operations else { return nil }
  }

  private static func clock() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
