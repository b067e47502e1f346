import Memory
import Testing
import Upstream

/// Equal questions are one, others never; each is due in order.
@Suite struct QuestionsTests {
  @Test func equalQuestionsAreFound() {
    let script = Script()
    let question = script.add(7)
    #expect(script.find(script.key(7)) == question)
    #expect(script.find(script.key(8)) == nil)
    #expect(script.questions.count == 1)
    script.questions.remove(question)
    #expect(script.find(script.key(7)) == nil && script.questions.count == 0)
  }

  @Test func aHashIsNotEnough() {
    // All in one bucket and of one hash, and each differs from the first in one thing.
    let script = Script()
    let hash: UInt64 = 42
    var found: [Int] = []
    for number in 0..<9 {
      let key = Self.variant(number, script, hash)
      #expect(script.find(key) == nil, "variant \(number)")
      if let index = script.add(key, deadline: 1) { found.append(index) }
    }
    #expect(Set(found).count == 9)
    for number in 0..<9 {
      #expect(script.find(Self.variant(number, script, hash)) == found[number], "variant \(number)")
    }
  }

  private static func variant(_ number: Int, _ script: Script, _ hash: UInt64) -> QuestionKey {
    switch number {
    case 1: script.key(2, hash: hash)
    case 2: script.key(1, hash: hash, type: 28)
    case 3: script.key(1, hash: hash, class: 3)
    case 4: script.key(1, hash: hash, dnssecOK: true)
    case 5: script.key(1, hash: hash, checkingDisabled: true)
    case 6: script.key(1, hash: hash, zone: 1)
    case 7: script.key(1, hash: hash, transport: .udp)
    // The same bucket, another hash.
    case 8: script.key(1, hash: hash | 1 << 63)
    default: script.key(1, hash: hash)
    }
  }

  @Test func namesOfAnyLength() {
    let script = Script(capacity: 256)
    let name = Region(size: 512)
    for length in 1...255 {
      let key = QuestionKey(
        hash: 1, name: name.bytes.slice(0, length), type: 1, recordClass: 1, dnssecOK: false, checkingDisabled: false,
        zone: 0, transport: .tcp, group: 0)
      #expect(script.find(key) == nil)
      let index = script.add(key, deadline: 1)
      #expect(index != nil && script.find(key) == index)
      #expect(index.map { script.questions.name($0).count } == length)
    }
  }

  @Test func removedFromFrontMiddleAndEndOfABucket() {
    for first in 0..<4 {
      for second in 0..<4 where second != first {
        let script = Script()
        let indices = (0..<4).map { script.add(script.key($0, hash: 9), deadline: UInt64($0))! }
        var left = Set(0..<4)
        for number in [first, second] {
          script.questions.remove(indices[number])
          left.remove(number)
          for other in 0..<4 {
            #expect(script.find(script.key(other, hash: 9)) == (left.contains(other) ? indices[other] : nil))
          }
          #expect(script.questions.nextDue?.deadline == left.min().map { UInt64($0) })
        }
      }
    }
  }

  @Test func dueInOrder() {
    let script = Script()
    for number in 0..<100 { _ = script.add(script.key(number), deadline: UInt64(100 + number)) }
    // Every third goes before its time.
    for number in stride(from: 0, to: 100, by: 3) {
      script.questions.remove(script.find(script.key(number))!)
    }
    for number in 0..<100 where number % 3 != 0 {
      guard let due = script.questions.nextDue else {
        Issue.record("nothing due")
        return
      }
      #expect(due.deadline == UInt64(100 + number) && script.find(script.key(number)) == due.index)
      script.questions.remove(due.index)
    }
    #expect(script.questions.nextDue == nil)
  }

  @Test func fullRefusesAndRecovers() {
    let script = Script(capacity: 16)
    for number in 0..<16 { #expect(script.add(script.key(number), deadline: 1) != nil) }
    #expect(script.add(script.key(16), deadline: 1) == nil)
    // The refused one left nothing behind.
    #expect(script.find(script.key(16)) == nil && script.questions.count == 16)
    script.questions.remove(script.find(script.key(3))!)
    #expect(script.add(script.key(16), deadline: 1) != nil)
  }

  @Test func aSlotUsedAgainIsAnotherQuestion() {
    let script = Script(capacity: 2)
    let first = script.add(1)
    let serial = script.questions[first].serial
    #expect(script.isPending(first, serial))
    script.questions.remove(first)
    #expect(!script.isPending(first, serial))
    let second = script.add(2)
    #expect(second == first && !script.isPending(first, serial))
    #expect(!script.isPending(1, serial) && !script.isPending(-1, serial))
  }
}
