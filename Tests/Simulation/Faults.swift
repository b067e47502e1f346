/// How often what goes wrong: rates are in a million.
package struct Faults {
  // Datagrams, both ways and towards upstreams.
  package var loss = 0
  package var duplicate = 0
  /// Late by up to 40 ms, so that later ones overtake it.
  package var late = 0
  /// Cut off somewhere.
  package var cut = 0

  // The ring.
  /// A read or write of a byte or a few.
  package var short = 0
  /// A multishot operation ends after an instalment that succeeded.
  package var lostMore = 0
  /// A completion comes up to a millisecond after what it reports.
  package var slowCompletion = 0
  /// A completion overtakes others.
  package var shuffle = 0
  /// Not all completions that are there are seen in a turn.
  package var partialReap = 0
  /// A shard does not run for up to `stallMost` nanoseconds.
  package var stall = 0
  package var stallMost = 30 * millisecond
  package var acceptFails = 0
  package var openFails = 0
  package var sendFails = 0
  package var wakeLost = 0
  /// A wake comes up to 20 ms late.
  package var wakeLate = 0
  /// Receive buffers of a shard.
  package var buffers = 256
  /// Datagrams in a socket from which on it is said to fill.
  package var fillsAt = 2048

  // Upstreams, per response or connection.
  package var refuse = 0
  /// A connect that never completes.
  package var connectSilent = 0
  package var reset = 0
  /// Reset after a part of a frame.
  package var resetInFrame = 0
  /// FIN with questions unanswered.
  package var finish = 0
  /// FIN after a part of a frame.
  package var finishInFrame = 0
  /// A frame comes octet by octet, over up to two seconds.
  package var trickle = 0
  /// A frame of no octets.
  package var emptyFrame = 0
  /// Half-open: takes everything, says nothing any more.
  package var halfOpen = 0
  /// No answer to this question.
  package var mute = 0
  /// An answer up to 3 s late.
  package var slow = 0
  package var wrongID = 0
  package var wrongQuestion = 0
  package var junk = 0
  package var twice = 0
  /// The answer goes out, falsified, on another connection too.
  package var crossTalk = 0
  /// Largest UDP response; beyond it, TC.
  package var truncateAt = 1232

  package init() {}

  /// Some faults at some rate each: a run with all of them at once would hide what only few together show.
  package init(_ chance: inout Chance) {
    let rates: [(WritableKeyPath<Faults, Int>, Int)] = [
      (\.loss, 100_000), (\.duplicate, 100_000), (\.late, 100_000), (\.cut, 20_000), (\.short, 700_000),
      (\.lostMore, 200_000),
      (\.slowCompletion, 200_000), (\.shuffle, 300_000), (\.partialReap, 300_000), (\.stall, 5000),
      (\.acceptFails, 300_000), (\.openFails, 200_000), (\.sendFails, 10_000), (\.wakeLost, 20_000),
      (\.wakeLate, 100_000), (\.refuse, 300_000), (\.connectSilent, 200_000), (\.reset, 20_000),
      (\.resetInFrame, 20_000), (\.finish, 20_000), (\.finishInFrame, 20_000), (\.trickle, 5000),
      (\.emptyFrame, 10_000), (\.halfOpen, 5000), (\.mute, 20_000), (\.slow, 30_000),
      (\.wrongID, 50_000), (\.wrongQuestion, 20_000), (\.junk, 20_000), (\.twice, 100_000), (\.crossTalk, 20_000),
    ]
    for (fault, most) in rates where chance.below(3) == 0 { self[keyPath: fault] = chance.below(most) }
    if chance.below(3) == 0 { buffers = 1 << (1 + chance.below(5)) }
    if chance.below(3) == 0 { fillsAt = chance.below(20) }
    if chance.below(3) == 0 { truncateAt = 512 }
    if stall > 0, chance.below(4) == 0 { (stall, stallMost) = (1 + stall / 100, 5 * second) }
  }
}
