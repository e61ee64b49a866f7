"""HTTP connections, and all that is relied on of uvicorn beyond its documented interface.

Its version is pinned. For each hook: the test that fails where uvicorn does not call it, or does
something else with it. A test compares this table with the classes here and with uvicorn.

HttpToolsProtocol.__init__(config, server_state, app_state, _loop)
    test_fast_path.py: test_pipelined_requests_are_answered_in_order
HttpToolsProtocol.connection_made(transport)
    test_limits.py: test_one_address_holds_so_many_connections_and_no_more
HttpToolsProtocol.connection_lost(exc)
    test_pipelining.py: test_what_was_held_is_given_back
HttpToolsProtocol.data_received(data)
    test_pipelining.py: test_behind_a_request_that_waits_one_read_is_held_and_reading_stops
HttpToolsProtocol.eof_received()
    test_half_closed.py: test_a_half_closed_sender_gets_its_answer_and_the_end
HttpToolsProtocol.resume_writing()
    test_pipelining.py: test_a_long_pipeline_whose_answers_are_read_is_answered_in_order
HttpToolsProtocol.on_message_begin()
    test_limits.py: test_the_time_begins_anew_with_each_request
HttpToolsProtocol.on_header(name, value)
    test_limits.py: test_headers_beyond_the_limits_get_431
HttpToolsProtocol.on_headers_complete()
    test_fast_path.py: test_only_a_plain_callback_goes_past_asgi
HttpToolsProtocol.on_body(body)
    test_limits.py: test_half_bodies_take_so_much_memory_together_and_no_more
HttpToolsProtocol.on_message_complete()
    test_limits.py: test_an_idle_connection_is_closed
HttpToolsProtocol.on_response_complete()
    test_fast_path.py: test_a_pipeline_of_both_ways_is_answered_in_order
HttpToolsProtocol.shutdown()
    test_limits.py: test_a_stop_answers_what_is_in_flight_and_takes_nothing_new
HttpToolsProtocol.parser
    test_limits.py: test_an_offer_of_another_protocol_is_ignored
HttpToolsProtocol.transport
    test_limits.py: test_a_sender_that_does_not_read_its_answer_is_cut_off
HttpToolsProtocol.flow
    test_pipelining.py: test_behind_a_request_that_waits_one_read_is_held_and_reading_stops
HttpToolsProtocol.client
    test_fast_path.py: test_a_delivery_on_the_fast_path_holds_what_came
HttpToolsProtocol.url
    test_fast_path.py: test_only_a_plain_callback_goes_past_asgi
HttpToolsProtocol.headers
    test_fast_path.py: test_a_delivery_on_the_fast_path_holds_what_came
HttpToolsProtocol.expect_100_continue
    test_fast_path.py: test_a_continue_is_sent_where_it_is_waited_for
HttpToolsProtocol.cycle
    test_fast_path.py: test_a_pipeline_of_both_ways_is_answered_in_order
HttpToolsProtocol.server_state
    test_limits.py: test_every_answer_has_the_security_headers
RequestResponseCycle.keep_alive
    test_half_closed.py: test_a_half_closed_sender_gets_its_answer_and_the_end
RequestResponseCycle.disconnected
    test_limits.py: test_half_a_body_is_cut_off_and_the_application_gets_a_disconnect
RequestResponseCycle.message_event
    test_limits.py: test_half_a_body_is_cut_off_and_the_application_gets_a_disconnect
RequestResponseCycle.response_complete
    test_fast_path.py: test_a_pipeline_of_both_ways_is_answered_in_order
RequestResponseCycle.transport
    test_half_closed.py: test_the_last_answer_is_read_by_a_sender_that_goes_on_sending
FlowControl.pause_reading()
    test_pipelining.py: test_behind_a_request_that_waits_one_read_is_held_and_reading_stops
FlowControl.resume_reading()
    test_pipelining.py: test_a_long_pipeline_whose_answers_are_read_is_answered_in_order
FlowControl.read_paused
    test_pipelining.py: test_a_long_pipeline_whose_answers_are_read_is_answered_in_order
FlowControl.write_paused
    test_pipelining.py: test_a_sender_that_reads_no_answers_is_not_served_on
ServerState.connections
    test_limits.py: test_a_connection_that_says_nothing_is_closed
ServerState.default_headers
    test_limits.py: test_every_answer_has_the_security_headers
Server.__init__(config)
    test_fast_path.py: test_pipelined_requests_are_answered_in_order
Server.serve(sockets)
    test_fast_path.py: test_pipelined_requests_are_answered_in_order
Server.startup(sockets)
    test_fast_path.py: test_only_a_plain_callback_goes_past_asgi
Server.capture_signals()
    test_uvicorn_hooks.py: test_the_signals_are_left_to_the_process
Server.servers
    test_limits.py: test_a_stop_answers_what_is_in_flight_and_takes_nothing_new
Server.started
    test_fast_path.py: test_pipelined_requests_are_answered_in_order
Server.should_exit
    test_limits.py: test_a_stop_answers_what_is_in_flight_and_takes_nothing_new
"""
