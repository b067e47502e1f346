import Network
import Testing

@Suite struct RepairBudgetTests {
  @Test func twentyAtOnceThenOneASecond() {
    let start = ContinuousClock.now
    var budget = RepairBudget(now: start)
    for _ in 0..<RepairBudget.burst {
      #expect(budget.next <= start)
      budget.spend(now: start)
    }
    #expect(budget.next == start + .seconds(1))
    budget.spend(now: start + .seconds(1))
    #expect(budget.next == start + .seconds(2))
  }

  @Test func restRefillsIt() {
    let start = ContinuousClock.now
    var budget = RepairBudget(now: start)
    for _ in 0..<RepairBudget.burst { budget.spend(now: start) }
    let later = start + .seconds(3600)
    for _ in 0..<RepairBudget.burst {
      #expect(budget.next <= later)
      budget.spend(now: later)
    }
    #expect(budget.next == later + .seconds(1))
  }
}
