clip = {"type": "video_url", "video_url": {"url": uri("clip.mp4")}}
frames = {"mm_processor_kwargs": {"num_frames": 16}}
answer = ask(clip, text("What happens in the video?"), extra_body=frames)
print(answer.choices[0].message.content)
