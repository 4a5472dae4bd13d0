"""The text the tiny tokenizers are trained on: a few sentences in many scripts."""

from __future__ import annotations

ENGLISH = (
    "A red circle stands to the left of a blue square, and the square is larger than the circle.",
    "Describe the image in detail. What is in the picture? How many objects can you see?",
    "There are three green triangles on a white background; two of them touch the edge.",
    "The train leaves at 10:45 and arrives at 13:20, so the journey takes 2 hours and 35 minutes.",
    "She said: \"I don't know whether it's raining, but I'll take an umbrella anyway.\"",
    "Total: 1,234.56 USD (about 8,900 CNY), i.e. 12.5% more than in 2023.",
    "Reading text from a photograph is harder when the photograph is dark or blurred.",
    "First the kitchen, then the garden, and after the garden the small yellow house.",
    "Please answer yes or no: does the first frame of the video show the same person?",
    "An apple, an orange and a banana were lying on the table beside an empty bottle.",
)

CHINESE = (
    "请描述这张图片的内容。图片里有什么？你能看到几个物体？",
    "一个红色的圆形在蓝色的正方形左边，正方形比圆形大。",
    "今天天气很好，我们去公园散步，看见了很多人和一只小狗。",
    "视频的第一帧和最后一帧有什么不同？请用中文回答。",
    "这是一个有用的助手，可以看图，也可以回答问题。",
    "火车十点四十五分出发，下午一点二十分到达。",
)

OTHER = (
    "Der rote Kreis steht links neben dem blauen Quadrat; Größe und Übung zählen.",
    "L'élève a déjà mangé une pomme à côté de la fenêtre.",
    "Красный круг находится слева от синего квадрата.",
    "赤い丸は青い四角の左にあります。写真を見てください。",
    "빨간 원은 파란 사각형의 왼쪽에 있습니다.",
)

CODE = (
    "def area(width, height):\n    return width * height  # in pixels\n",
    'for i in range(10):\n\tif i % 2 == 0:\n\t\tprint(f"{i}: even")\n',
    '{"label": "circle", "box": [10, 20, 110, 220], "score": 0.975}\n',
    "<table>\n  <tr><td>1</td><td>two</td></tr>\n</table>\n",
)

LINES: tuple[str, ...] = ENGLISH + CHINESE + OTHER + CODE
