import { endingCases } from '../../suites/transport-endings.js'
import { requestCases } from '../../suites/transport-requests.js'
import { runTransportCases } from '../../suites/transport-suite.js'
import { memoryNet } from '../../support/memory-net.js'

const memory = { name: 'memory', open: async () => memoryNet() }
runTransportCases(memory, requestCases)
runTransportCases(memory, endingCases)
