/// How often what goes wrong: rates are in a million.
struct Faults {
  // Datagrams, both ways and towards upstreams.
  var loss = 0
  var duplicate = 0
  /// Late by up to 40 ms, so that later ones overtake it.
  var late = 0

  // The ring.
  /// A read or write of a byte or a few.
  var short = 0
  /// A multishot operation ends after an instalment that succeeded.
  var lostMore = 0
  /// A completion comes up to a millisecond after what it reports.
  var slowCompletion = 0
  /// A completion overtakes others.
  var shuffle = 0
  /// Not all completions that are there are seen in a turn.
  var partialReap = 0
  /// A shard does not run for up to 30 ms.
  var stall = 0
  var acceptFails = 0
  var openFails = 0
  var sendFails = 0
  var wakeLost = 0
  /// A wake comes up to 20 ms late.
  var wakeLate = 0
  /// Receive buffers of a shard.
  var buffers = 256

  // Upstreams, per response or connection.
  var refuse = 0
  /// A connect that never completes.
  var connectSilent = 0
  var reset = 0
  /// Reset after a part of a frame.
  var resetInFrame = 0
  /// FIN with questions unanswered.
  var finish = 0
  /// Half-open: takes everything, says nothing any more.
  var halfOpen = 0
  /// No answer to this question.
  var mute = 0
  /// An answer up to 3 s late.
  var slow = 0
  var wrongID = 0
  var wrongQuestion = 0
  var junk = 0
  var twice = 0
  /// The answer goes out, falsified, on another connection too.
  var crossTalk = 0
  /// Largest UDP response; beyond it, TC.
  var truncateAt = 1232

  init() {}

  /// Some faults at some rate each: a run with all of them at once would hide what only few together show.
  init(_ chance: inout Chance) {
    let rates: [(WritableKeyPath<Faults, Int>, Int)] = [
      (\.loss, 100_000), (\.duplicate, 100_000), (\.late, 100_000), (\.short, 700_000), (\.lostMore, 200_000),
      (\.slowCompletion, 200_000), (\.shuffle, 300_000), (\.partialReap, 300_000), (\.stall, 5000),
      (\.acceptFails, 300_000), (\.openFails, 200_000), (\.sendFails, 10_000), (\.wakeLost, 20_000),
      (\.wakeLate, 100_000), (\.refuse, 300_000), (\.connectSilent, 200_000), (\.reset, 20_000),
      (\.resetInFrame, 20_000), (\.finish, 20_000), (\.halfOpen, 5000), (\.mute, 20_000), (\.slow, 30_000),
      (\.wrongID, 50_000), (\.wrongQuestion, 20_000), (\.junk, 20_000), (\.twice, 100_000), (\.crossTalk, 20_000),
    ]
    for (fault, most) in rates where chance.below(3) == 0 { self[keyPath: fault] = chance.below(most) }
    if chance.below(3) == 0 { buffers = 1 << (1 + chance.below(5)) }
    if chance.below(3) == 0 { truncateAt = 512 }
  }
}
