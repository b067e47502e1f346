import Memory
import Testing
import Upstream

@Suite struct QuestionsTests {}
