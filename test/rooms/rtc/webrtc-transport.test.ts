import { endingCases } from '../../suites/transport-endings.js'
import { requestCases } from '../../suites/transport-requests.js'
import { runTransportCases } from '../../suites/transport-suite.js'
import { webRtcNet } from '../../support/webrtc-net.js'

const webrtc = { name: 'webrtc', open: async () => webRtcNet() }
runTransportCases(webrtc, requestCases)
runTransportCases(webrtc, endingCases)
