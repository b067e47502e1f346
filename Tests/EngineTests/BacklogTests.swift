import Engine
import Simulation
import Testing

/// Whose turn it is among datagrams that wait.
struct BacklogTests {
  private static func waiting(_ share: Int) -> Backlog.Waiting { Backlog.Waiting(result: 0, listener: 0, share: share) }

  /// 500 datagrams of one client, then one of another: it is served after four of the first.
  @Test func aFloodWaitsBehindItself() {
    var backlog = Backlog(buffers: 512, shares: 8)
    for buffer in 0..<500 { backlog.append(Self.waiting(1), in: buffer) }
    backlog.append(Self.waiting(2), in: 500)
    let first = (0..<6).map { _ in backlog.next() }
    #expect(first == [0, 1, 2, 3, 500, 4])
    #expect(backlog.count == 495)
  }

  /// A resolver's A and AAAA, which came one after the other, are served so, however many resolvers ask.
  @Test func pairsStayTogether() {
    var backlog = Backlog(buffers: 64, shares: 32)
    for buffer in 0..<64 { backlog.append(Self.waiting(buffer / 2), in: buffer) }
    let served = (0..<64).map { _ in backlog.next() }
    #expect(served == Array(0..<64))
    #expect(backlog.next() == -1 && backlog.isEmpty)
  }

  /// Against lists of numbers: each datagram is taken once, those of a share in their order, and no share waits for more
  /// than four of each other.
  @Test(arguments: 1...20) func servesAllInTurn(seed: UInt64) {
    var chance = Chance(seed: seed)
    var backlog = Backlog(buffers: 256, shares: 16)
    var queues = [[Int]](repeating: [], count: 16)
    var waited = [Int](repeating: 0, count: 16)
    var unused = Array(0..<256)
    for _ in 0..<20_000 {
      if chance.below(2) == 0, let buffer = unused.popLast() {
        // A share in two of three, so that one has most of it.
        let share = chance.below(3) > 0 ? 3 : chance.below(16)
        backlog.append(Self.waiting(share), in: buffer)
        queues[share].append(buffer)
      } else if chance.below(50) == 0 {
        let limit = chance.below(backlog.count + 1)
        let most = queues.map(\.count).max()!
        var cut: [Int] = []
        var buffer = backlog.cut(to: limit)
        while buffer >= 0 {
          cut.append(buffer)
          buffer = backlog.next(after: buffer)
        }
        // The oldest of each share went, and nobody lost anything who had no more than half of what the longest had.
        var losers: Set<Int> = []
        for buffer in cut.reversed() {
          let share = Int(backlog.waiting(in: buffer).share)
          #expect(buffer == queues[share].removeFirst())
          losers.insert(share)
          unused.append(buffer)
        }
        let longest = queues.map(\.count).max()!
        let isFair = losers.allSatisfy { queues[$0].count >= longest / 2 }
        #expect(isFair && longest <= most)
      } else {
        let buffer = backlog.next()
        guard buffer >= 0 else {
          let left = queues.joined().count
          #expect(left == 0)
          continue
        }
        let share = Int(backlog.waiting(in: buffer).share)
        #expect(buffer == queues[share].removeFirst())
        unused.append(buffer)
        for other in 0..<16 { waited[other] = other == share || queues[other].isEmpty ? 0 : waited[other] + 1 }
        let longest = waited.max()!
        #expect(longest <= 4 * 15)
      }
      let count = queues.joined().count
      #expect(backlog.count == count)
    }
  }
}
