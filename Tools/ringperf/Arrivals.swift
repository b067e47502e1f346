import Glibc

/// How the instants of an open loop are spread.
enum ArrivalProcess: String, CaseIterable {
  case poisson, constant
}

/// The instants at which the lookups of one thread leave, in nanoseconds, whatever comes back.
struct Arrivals {
  private let process: ArrivalProcess
  private let gap: Double
  private var instant: Double
  private var random: RandomSource

  /// `gap` is the mean time between two instants; the first is at `start` or soon after.
  init(_ process: ArrivalProcess, gap: Double, start: Double, random: RandomSource) {
    self.process = process
    self.gap = gap
    instant = start
    self.random = random
  }

  /// Nanoseconds since the epoch of `start`.
  var next: UInt64 { UInt64(instant) }

  mutating func advance() {
    switch process {
    case .constant: instant += gap
    case .poisson: instant -= gap * log(random.unit())
    }
  }
}
